"""What adopting an image changes, and why: from what the image says and starts to the lines of a Dockerfile."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyinit.ctl.adopt import chain, shell
from pyinit.ctl.container import SHELLS
from pyinit.ctl.init import RESIDENT
from pyinit.ctl.options import CannotLook, shown
from pyinit.ctl.servers import known
from pyinit.settings import WARNING, personality
from pyinit.tell import Fatal, signal_names
from pyinit.tell.text import encode, printable

if TYPE_CHECKING:
    from pyinit.ctl.adopt.chain import Link
    from pyinit.ctl.adopt.content import Content
    from pyinit.ctl.adopt.image import Image
    from pyinit.ctl.servers import Server
    from pyinit.settings import Settings

WHERE = "/pyinit"  # pyinit's file in the image

# Inits that run services, and do so as PID 1 alone (s6-overlay-suexec: "can only run as pid 1").
NEED_PID_1 = (
    *("init", "my_init", "openrc-init", "runit", "runit-init", "s6-linux-init", "s6-overlay-suexec", "s6-svscan"),
    *("systemd", "finit", "tsp-init"),
)

CHANGE, DOUBT, NOTE = "change", "doubt", "note"


@dataclass(frozen=True)
class Remark:
    """Something that people should know: what is changed and why, what stays, or what cannot be known (a doubt)."""

    kind: str
    text: str


@dataclass
class Plan:
    """The new image's configuration, as far as it differs."""

    entrypoint: list[str]  # behind pyinit's own words
    cmd: list[str]
    options: list[str] = field(default_factory=list)  # pyinit's
    user: str = ""  # for USER; "" leaves it
    environment: dict[str, str] = field(default_factory=dict)  # for ENV
    remarks: list[Remark] = field(default_factory=list)

    def change(self, text: str) -> None:
        self.remarks.append(Remark(CHANGE, text))

    def doubt(self, text: str) -> None:
        self.remarks.append(Remark(DOUBT, text))

    def note(self, text: str) -> None:
        self.remarks.append(Remark(NOTE, text))

    @property
    def command(self) -> list[str]:
        return self.entrypoint + self.cmd


def make(image: Image, content: Content, user: str | None) -> Plan:
    """The plan for an image. `user` is who the program is to be; None leaves that. Raises CannotLook."""
    check(image, content)
    plan = Plan(list(image.entrypoint), list(image.cmd))
    take_over_init(plan, image)
    take_over_user(plan, image, user, content)
    into_exec_form(plan)
    links = chain.follow(plan.command, content)
    refuse_other_inits(links, image, content)
    links, server = up_to_server(links)
    group(plan, links, server)
    stop_signal(plan, image, server)
    explain_chain(plan, links, server)
    explain_rest(plan, image)
    return plan


def check(image: Image, content: Content) -> None:
    """What is no image for us. Raises CannotLook."""
    if image.system != "linux":
        raise CannotLook(f"IMAGE: {image.name!r} is for {image.system}: pyinit is for Linux")
    if image.command and os.path.basename(image.command[0]) == "pyinit":
        raise CannotLook(f"IMAGE: {image.name!r} starts with pyinit already: {shown(image.command)}")
    if content.exists(WHERE):
        raise CannotLook(f"IMAGE: {image.name!r} has a {WHERE} already: adopt the image that it was made from")
    if WHERE in (os.path.normpath(volume) for volume in image.volumes):
        raise CannotLook(f"IMAGE: {image.name!r} has a volume at {WHERE}, which would hide the file")


def take_over_init(plan: Plan, image: Image) -> None:
    """tini, dumb-init or catatonit in front: pyinit takes its place and its options. Raises CannotLook."""
    while plan.command and personality(plan.command[0]) in RESIDENT:
        words = plan.command
        name = personality(words[0])
        settings = settings_of(name, words[1:], image)
        rest = list(settings.program)[: None if plan.cmd else -1]
        size = max(len(rest) - len(plan.cmd), 0)
        plan.entrypoint, plan.cmd = rest[:size], rest[size:]
        options = carried(settings)
        plan.options += options
        plan.change(
            f"{shown(words[: len(words) - len(rest)])} goes from the command line: pyinit does what {name} does, "
            f"and its options mean {' '.join(options) or 'nothing more'} here. What the program leaves behind is asked "
            f"to end, where {name} has it killed (--grace 0 is as before)"
        )


def settings_of(name: str, words: list[str], image: Image) -> Settings:
    """How another init's command line is meant, its variables included. Raises CannotLook."""
    from pyinit.options import inits

    environment = {
        encode(key): encode(value)
        for key, value in image.environment.items()
        if key.startswith(("TINI_", "DUMB_INIT_", "CATATONIT_"))
    }
    stand_in = [] if image.cmd else ["program"]  # an ENTRYPOINT of the init alone has none yet
    try:
        return inits.read(name, [*words, *stand_in], environment)
    except Fatal as error:
        raise CannotLook(f"IMAGE: {name} in its command line: {error.message}") from None


def carried(settings: Settings) -> list[str]:
    """Pyinit's options for what another init was told."""
    words = []
    if settings.single_child:
        words.append("-c")
    if settings.session:
        words.append("--session")
    if settings.subreaper:
        words.append("-s")
    if settings.warn_on_reap:
        words.append("-w")
    if settings.pause:
        words.append("-P")
    words += ["-v"] * max(settings.verbosity - WARNING, 0)
    if settings.parent_death_signal:
        words += ["-p", short(settings.parent_death_signal)]
    for source, target in settings.rewrite.items():
        words += ["-r", f"{short(source)}:{short(target) if target else 0}"]
    for code, status in settings.remap_exit.items():
        words += ["-e", f"{code}:{status}"]
    return words


def take_over_user(plan: Plan, image: Image, user: str | None, content: Content) -> None:
    """--user, or gosu in front with an account's name. Raises CannotLook."""
    words = plan.entrypoint
    name = os.path.basename(words[0]) if words else ""
    stepping = words[1] if name in ("gosu", "su-exec") and len(words) > 1 and image.runs_as_root else ""
    is_name = stepping and not stepping[0].isdigit()
    if stepping and (user or is_name):
        plan.entrypoint = words[2:]
        plan.change(f"{shown(words[:2])} goes from the command line: pyinit -u runs the program as {user or stepping}")
        user = user or stepping
    elif name in ("gosu", "su-exec", "fixuid"):
        plan.note(f"{name} stays: it becomes the program, and pyinit waits for that")
    if not user:
        return
    check_user(user, content)
    plan.options += ["-u", user]
    if not image.runs_as_root:
        plan.user = "0"
        plan.change(
            f"USER was {printable(image.user)}: pyinit needs root to make the program {user}'s, and keeps it for PID 1 "
            "alone; `docker exec` is root's from now on, too"
        )


def check_user(user: str, content: Content) -> None:
    """Raises CannotLook for a name that is nobody's in the image: better now than at each start."""
    from pyinit.identity.accounts import Accounts
    from pyinit.identity.user import find

    passwd, group_file = content.file("/etc/passwd"), content.file("/etc/group")
    try:
        find(user, Accounts(passwd.start if passwd else b"", group_file.start if group_file else b""))
    except Fatal as error:
        raise CannotLook(f"{error.message}, in the image") from None


def into_exec_form(plan: Plan) -> None:
    """`sh -c "server"`, which ENTRYPOINT and CMD without brackets become: the shell is to become the server."""
    for words, line in ((plan.entrypoint, "ENTRYPOINT"), (plan.cmd, "CMD")):
        name = os.path.basename(words[0]) if words else ""
        at = chain.index_of_string(tuple(words)) if name in SHELLS else 0
        better = shell.with_exec(words[at]) if at else ""
        if better and (line == "ENTRYPOINT" or not plan.entrypoint):
            words[at] = better
            plan.change(
                f"{line} has the shell form, {shown(words[:at])}: a shell passes no signal on. `exec` in front makes "
                "the shell become the program"
            )


def refuse_other_inits(links: list[Link], image: Image, content: Content) -> None:
    """Raises CannotLook for an image whose init must be PID 1 itself."""
    for link in links:
        name = os.path.basename(link.words[0])
        if name not in NEED_PID_1:
            continue
        found = content.file(link.path) if link.kind == "script" else None
        if not found or "s6" in found.text or name != "init":
            raise CannotLook(
                f"IMAGE: {image.name!r} starts {printable(link.words[0])}, an init of its own that runs services and "
                "must be PID 1: leave it in its place"
            )


def up_to_server(links: list[Link]) -> tuple[list[Link], Server | None]:
    """The chain as far as to a server that is known: its own starter may be a script (mysqld_safe)."""
    for at in reversed(range(len(links))):
        words = links[at].words[: 1 if links[at].kind == "script" else None]  # its arguments may name a server, too
        if links[at].kind in ("program", "script") and (server := known(words)):
            return links[: at + 1], server
    return links, None


def group(plan: Plan, links: list[Link], server: Server | None) -> None:
    """Who gets the signals: the program's process group, or the program alone (-c)."""
    between = scripts_between(links, server)
    # A server that a branch's exec has started has replaced the shell.
    staying = [link for link in between if link.script and link.script.shell_is == shell.STAYS]
    if between and between[0].script and between[0].script.hands_on:
        add_single_child(plan)
        plan.change(
            f"-c: {called(between[0])} has a trap for the stop and waits for what it has started, so that the signal "
            "is for the script alone, as it was"
        )
    elif server and server.group_harms and not staying:
        add_single_child(plan)
        plan.change(
            f"-c: {server.name} directs its own workers, and where they get the signals, too, {server.group_harms}"
        )
    elif staying:
        if "-c" in plan.options:
            plan.options.remove("-c")
            plan.change("the whole process group gets the signals from now on, since a shell passes none on")
        if server and server.group_harms:
            plan.doubt(
                f"{server.name} wants its signals for itself (-c), since otherwise {server.group_harms}; but "
                f"{called(staying[0])} stays in between. Let its last command begin with exec, and add -c"
            )
    elif "-c" in plan.options:
        plan.note("-c: the program alone gets the signals, as before; without it so do the processes that it starts")


def add_single_child(plan: Plan) -> None:
    if "-c" not in plan.options:
        plan.options.insert(0, "-c")


def called(link: Link) -> str:
    """What a message calls a link of the chain."""
    return f"the script {printable(link.path)}" if link.kind == "script" else f"the shell of {shown(link.words[:2])}"


def stop_signal(plan: Plan, image: Image, server: Server | None) -> None:
    """The signal that the engine stops with, and the one that the server wants."""
    number = stop_number(plan, image)
    if number in (signal.SIGKILL, signal.SIGSTOP):
        plan.doubt(f"STOPSIGNAL {short(number)} reaches no program, which is killed: STOPSIGNAL SIGTERM ends it well")
        return
    name = short(number)
    if number not in (signal.SIGTERM, signal.SIGINT):
        plan.options += ["--stop-signal", name]
        plan.change(f"--stop-signal {name}: the image's STOPSIGNAL starts pyinit's clocks, and nothing else does")
    rewritten = [word for before, word in zip(plan.options, plan.options[1:]) if before == "-r"]
    if not server or server.stop_signal == name:
        return
    if any(word.startswith(f"{name}:") for word in rewritten):
        plan.note(f"{server.name} gets {', '.join(rewritten)} as before; what is known of it: {server.why}")
    elif number == signal.SIGTERM:
        plan.options += ["-r", f"TERM:{server.stop_signal}"]
        plan.change(f"-r TERM:{server.stop_signal}: {server.name}: {server.why}")
    else:
        plan.doubt(
            f"the image's STOPSIGNAL is {name}, which stays. What is known of {server.name}: {server.why}. "
            f"If that is right here, add -r {name}:{server.stop_signal}"
        )


def stop_number(plan: Plan, image: Image) -> int:
    if not image.stop_signal:
        return signal.SIGTERM
    try:
        return signal_names.number(image.stop_signal)
    except ValueError:
        plan.doubt(f"STOPSIGNAL: {printable(image.stop_signal)!r} is no signal here, and TERM was reckoned with")
        return signal.SIGTERM


def scripts_between(links: list[Link], server: Server | None) -> list[Link]:
    """The shells that may stay in between. The last link is none of them if it is the server itself."""
    before = links[:-1] if server else links
    return [link for link in before if link.script and link.script.shell_is != shell.REPLACED]


def explain_chain(plan: Plan, links: list[Link], server: Server | None) -> None:
    """What is to be known of the programs between pyinit and the server."""
    between = scripts_between(links, server)
    for link in between:
        shell_in_between(plan, link)
    for link in links:
        if link.kind == "init":
            plan.doubt(
                f"{called_first(links)} starts {shown(link.words[:1])}, which is not PID 1 any more, and has nothing "
                "left to do: take it out there"
            )
    if not links:
        if "-P" not in plan.options:
            plan.doubt("the image has neither ENTRYPOINT nor CMD: `run` must name the program")
    elif links[-1].kind == "program" and not links[-1].path and not between and is_plain(links[-1].words[0]):
        plan.doubt(
            f"{printable(links[-1].words[0])} is not in the image: a mount may bring it, else the start fails (127)"
        )


def shell_in_between(plan: Plan, link: Link) -> None:
    script = link.script
    if not script or script.hands_on:
        return
    group_gets_it = "" if "-c" in plan.options else " Pyinit signals the whole group, and waits for what is left;"
    if script.shell_is == shell.STAYS:
        plan.doubt(
            f"{called(link)} has no exec: the shell stays between pyinit and what it starts, and passes no signal on."
            f"{group_gets_it} but the status is the shell's (143 after TERM). Begin its last command with exec"
        )
    else:
        plan.doubt(
            f"{called(link)} begins only some of its commands with exec, as far as can be read: where it does not, the "
            f"shell stays in between.{group_gets_it} but the status is the shell's then"
        )


def called_first(links: list[Link]) -> str:
    return called(links[0]) if links[0].script else shown(links[0].words[:1])


def is_plain(word: str) -> bool:
    """Whether a word of a script is a name, and not something that the shell makes one of."""
    return not any(character in word for character in "$`*?~{")


def explain_rest(plan: Plan, image: Image) -> None:
    """What stays as it is, and what a build makes of it."""
    if image.cmd and plan.cmd:
        plan.note("CMD stands here once more since ENTRYPOINT resets what the image has")
    if image.has_health_check:
        plan.note("HEALTHCHECK stays (podman keeps it with `build --format docker` alone)")
    if image.on_build:
        steps = "; ".join(printable(each) for each in image.on_build)
        certain = "has" if image.on_build_is_certain else "has, or one that it was made from had,"
        plan.doubt(
            f"the image {certain} ONBUILD steps, which run in this build and are gone then: {steps}. They are meant "
            "for the build of a program: adopt the image that you have built of it"
        )


def short(number: int) -> str:
    """A signal as options take it: TERM."""
    return signal_names.name(number).removeprefix("SIG")
