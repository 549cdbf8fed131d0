"""pyinitctl adopt, without an engine: what is read out of scripts, and what follows for the Dockerfile.

With engines and images: tests/container/test_adopt.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyinit.ctl import check, zipapp
from pyinit.ctl.adopt import chain, dockerfile, file, image, plan, shell
from pyinit.ctl.adopt.content import Content, File
from pyinit.ctl.adopt.engine import Engine
from pyinit.ctl.options import CannotLook
from tests.support import ctl

ELF = "\x7fELF"
ROOT = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"


class Files(Content):
    """An image's files as they are said here."""

    def __init__(self, about: image.Image, files: dict[str, str]) -> None:
        self.engine = Engine("docker", "/no/engine")
        super().__init__(self.engine, about, "")
        self._files = {"/etc/passwd": ROOT, **files}

    def exists(self, path: str) -> bool:
        return path in self._files

    def _follow(self, path: str) -> File | None:
        text = self._files.get(path)
        return None if text is None else File(path, 0o755, text.encode())


def an_image(**config: object) -> image.Image:
    """As an engine tells of it."""
    config = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], **config}
    return image.read("shop", {"Id": "sha256:ab12", "Os": "linux", "Architecture": "amd64", "Config": config})


def planned(files: dict[str, str] | None = None, user: str | None = None, **config: object) -> plan.Plan:
    about = an_image(**config)
    return plan.make(about, Files(about, {"/usr/bin/server": ELF, **(files or {})}), user)


def texts(made: plan.Plan, kind: str) -> list[str]:
    return [remark.text for remark in made.remarks if remark.kind == kind]


SCRIPTS = {
    "the convention": ('#!/bin/sh\nset -e\nexec "$@"\n', shell.REPLACED, ("$@",)),
    "a server by its name": (
        "#!/bin/sh\nmigrate\nexec server --port 80 # now\n",
        shell.REPLACED,
        ("server", "--port", "80"),
    ),
    "over two lines": ("#!/bin/sh\nexec server \\\n  --port 80\n", shell.REPLACED, ("server", "--port", "80")),
    "with a variable before": ("#!/bin/sh\nLANG=C exec server\n", shell.REPLACED, ("server",)),
    "with its output elsewhere": ("#!/bin/sh\nexec server >/log 2>&1\n", shell.REPLACED, ("server",)),
    "no exec": ("#!/bin/sh\nmigrate\nserver --port 80\n", shell.STAYS, ("server", "--port", "80")),
    "exec that only redirects": ("#!/bin/sh\nexec >/log 2>&1\nexec 3<&-\nserver\n", shell.STAYS, ("server",)),
    "exec in a comment": ("#!/bin/sh\n# exec server\nserver\n", shell.STAYS, ("server",)),
    "a line of Unicode's": ("#!/bin/sh\n# of\u2028exec server\nserver\n", shell.STAYS, ("server",)),
    "in one branch": ('#!/bin/sh\nif [ "$1" = x ]; then exec "$@"; fi\nserver\n', shell.PERHAPS, ("$@",)),
    "in the last branch": ('#!/bin/sh\nif [ "$1" ]; then\n  exec "$@"\nfi\n', shell.PERHAPS, ("$@",)),
    "a function called in the end": (
        '#!/bin/bash\n_main() {\n if x; then\n  set -- a\n fi\n exec "$@"\n}\nif ! sourced; then\n _main "$@"\nfi\n',
        shell.REPLACED,
        ("$@",),
    ),
    "nothing": ("#!/bin/sh\n", shell.STAYS, ()),
    "what cannot be split": ("#!/bin/sh\necho 'x\ny'\n", shell.STAYS, ()),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_script_does_in_the_end(name: str) -> None:
    text, shell_is, last = SCRIPTS[name]
    script = shell.read_script(text)
    assert (script.shell_is, script.last) == (shell_is, last)


@pytest.mark.parametrize(
    ("text", "shell_is", "last"),
    [
        ("server --port $PORT", shell.STAYS, ("server", "--port", "$PORT")),
        ("exec server", shell.REPLACED, ("server",)),
        ("migrate && exec server --port 80", shell.REPLACED, ("server", "--port", "80")),
        ("migrate; server", shell.STAYS, ("server",)),
        ('server -g "a; b;" 2>&1', shell.STAYS, ("server", "-g", "a; b;")),
        ("test -e /x || exec server", shell.PERHAPS, ("server",)),
    ],
)
def test_what_a_shell_form_does_in_the_end(text: str, shell_is: str, last: tuple[str, ...]) -> None:
    script = shell.read_string(text)
    assert (script.shell_is, script.last) == (shell_is, last)


PLAIN = [
    "server",
    'server "a b" $PORT',
    "server >/log 2>&1",
    "/opt/bin/server --x=*.py ",
    "./server ~/x",
    'server -g "a; b;"',
    "server ${PORT} $(echo a b) `echo c`",
]
MORE_THAN_ONE = [
    "a; b",
    "a && b",
    "a | b",
    "a & b",
    "a\nb",
    "(a)",
    "cd /x",
    "A=1 server",
    "$SERVER",
    "exec server",
    "`a`",
    "",
]


@pytest.mark.parametrize("text", PLAIN)
def test_exec_in_front_of_one_command_runs_the_same(text: str, tmp_path: Path) -> None:
    """By a real shell: the same words, and no shell is left."""
    assert shell.with_exec(text) == f"exec {text.strip()}"
    server = tmp_path / "server"
    server.write_text('#!/bin/sh\nprintf "%s|" "$@"\ncat /proc/self/comm\n')
    server.chmod(0o755)
    log = tmp_path / "log"
    said = text.replace("/opt/bin/", f"{tmp_path}/").replace("/log", str(log))
    outputs = []
    for script in (said, shell.with_exec(said)):
        log.unlink(missing_ok=True)
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PORT": "80", "HOME": "/home"}
        done = subprocess.run(
            ["/bin/sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        outputs.append(done.stdout + (log.read_text() if log.exists() else ""))
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("text", MORE_THAN_ONE)
def test_nothing_is_put_in_front_of_more_than_one_command(text: str) -> None:
    assert shell.with_exec(text) == ""


@pytest.mark.parametrize(
    ("start", "is_one"),
    [
        (b"#!/bin/sh\n", True),
        (b"#!/usr/bin/env bash\n", True),
        (b"#! /bin/ash -e\n", True),
        (b"#!/usr/bin/env -S bash -e\n", True),
        (b"echo no first line\n", True),
        (b"#!/usr/bin/python3\n", False),
        (b"\x7fELF\x02\0\0", False),
        (b"", False),
    ],
)
def test_a_shell_script_is_known_by_its_first_line(start: bytes, is_one: bool) -> None:
    assert shell.is_shell_script(start) is is_one


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("sh", "-c", "x"), "x"),
        (("bash", "-ec", "x"), "x"),
        (("bash", "-o", "pipefail", "-c", "x"), "x"),
        (("bash", "-euo", "pipefail", "-c", "x"), "x"),
        (("sh", "file"), ""),
        (("sh",), ""),
        (("sh", "-c"), ""),
    ],
)
def test_where_the_text_behind_c_stands(words: tuple[str, ...], text: str) -> None:
    at = chain.index_of_string(words)
    assert (words[at] if at else "") == text


def test_the_chain_goes_through_shells_scripts_gosu_and_env() -> None:
    about = an_image()
    files = Files(about, {"/entry.sh": '#!/bin/sh\nexec gosu app "$@"\n', "/usr/bin/nginx": ELF})
    links = chain.follow(["/entry.sh", "env", "-i", "A=1", "sh", "-c", "exec nginx -g x"], files)
    assert [link.kind for link in links] == ["script", "step down", "environment", "shell", "program"]
    assert links[-1].words == ("nginx", "-g", "x")


def test_a_chain_that_goes_round_ends() -> None:
    about = an_image()
    files = Files(about, {"/entry.sh": '#!/bin/sh\nexec /entry.sh "$@"\n'})
    assert len(chain.follow(["/entry.sh"], files)) == chain.LONGEST


# What is planned: the whole ENTRYPOINT and CMD.


def test_a_plain_command_goes_behind_pyinit_and_cmd_stands_again() -> None:
    made = planned(Entrypoint=["server"], Cmd=["--port", "80"])
    assert dockerfile.entrypoint(made) == ["/pyinit", "--", "server"]
    assert made.cmd == ["--port", "80"]
    assert not texts(made, plan.DOUBT)


def test_cmd_alone_stays_cmd_so_that_run_can_name_another_program() -> None:
    made = planned(Cmd=["server"])
    assert (dockerfile.entrypoint(made), made.cmd) == (["/pyinit", "--"], ["server"])


@pytest.mark.parametrize("entrypoint", [None, [], [""]])
def test_no_command_at_all_is_a_doubt(entrypoint: object) -> None:
    made = planned(Entrypoint=entrypoint)
    assert (dockerfile.entrypoint(made), made.cmd) == (["/pyinit", "--"], [])
    assert "neither ENTRYPOINT nor CMD" in texts(made, plan.DOUBT)[0]


def test_the_shell_form_gets_exec() -> None:
    made = planned(Entrypoint=["/bin/sh", "-c", "server $PORT"], Cmd=["ignored"])
    assert dockerfile.entrypoint(made) == ["/pyinit", "--", "/bin/sh", "-c", "exec server $PORT"]
    assert made.cmd == ["ignored"]
    assert "shell form" in texts(made, plan.CHANGE)[0]
    assert planned(Cmd=["/bin/sh", "-c", "server"]).cmd == ["/bin/sh", "-c", "exec server"]


def test_a_shell_form_of_several_commands_stays_and_is_a_doubt() -> None:
    made = planned(Cmd=["/bin/sh", "-c", "migrate && server"])
    assert made.cmd == ["/bin/sh", "-c", "migrate && server"]
    assert "has no exec" in texts(made, plan.DOUBT)[0]


def test_a_script_without_exec_is_a_doubt_that_names_it() -> None:
    made = planned({"/entry.sh": "#!/bin/sh\nserver\n"}, Entrypoint=["/entry.sh"])
    assert dockerfile.entrypoint(made) == ["/pyinit", "--", "/entry.sh"]
    assert texts(made, plan.DOUBT)[0].startswith("the script /entry.sh has no exec")


def test_a_script_with_a_trap_gets_the_signal_alone() -> None:
    script = "#!/bin/sh\nserver & pid=$!\ntrap 'kill $pid' TERM\nwait $pid\n"
    made = planned({"/entry.sh": script}, Entrypoint=["/entry.sh"])
    assert made.options == ["-c"]
    assert not texts(made, plan.DOUBT)


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\ntrap 'kill $pid' TERM\nserver 2>&1 && true\nwait $pid\n",
        "#!/bin/sh\n# trap x TERM\nserver &\nwait\n",
        "#!/bin/sh\ntrap 'rm /x' EXIT\nserver &\nwait\n",
    ],
)
def test_a_trap_that_comes_too_late_or_is_none_hands_on_nothing(script: str) -> None:
    """A shell runs a trap when what is in the foreground has ended: the group gets the signal then."""
    made = planned({"/entry.sh": script}, Entrypoint=["/entry.sh"])
    assert made.options == []
    assert "has no exec" in texts(made, plan.DOUBT)[0]


@pytest.mark.parametrize(
    ("words", "options", "rest"),
    [
        (["tini", "--", "server"], ["-c"], ["server"]),
        (["/usr/bin/tini-static", "-g", "--", "server", "x"], [], ["server", "x"]),
        (
            ["/sbin/docker-init", "-s", "-w", "-vv", "-e", "143", "server"],
            ["-c", "-s", "-w", "-v", "-v", "-e", "143:0"],
            ["server"],
        ),
        (["catatonit", "-g", "--", "server"], [], ["server"]),
        (["dumb-init", "--", "server"], ["--session"], ["server"]),
        (
            ["dumb-init", "--rewrite", "15:3", "-r", "2:0", "server"],
            ["--session", "-r", "TERM:QUIT", "-r", "INT:0"],
            ["server"],
        ),
        (["/usr/local/bin/dumb-init", "-c", "server"], ["-c"], ["server"]),
    ],
)
def test_the_options_of_another_init_are_carried_over(words: list[str], options: list[str], rest: list[str]) -> None:
    made = planned(Entrypoint=words)
    assert (made.options, made.entrypoint, made.cmd) == (options, rest, [])


def test_an_init_whose_program_is_cmd() -> None:
    made = planned(Entrypoint=["tini", "-g", "--"], Cmd=["server", "-x"])
    assert (made.entrypoint, made.cmd) == ([], ["server", "-x"])
    made = planned(Entrypoint=["tini", "-g", "--", "server"], Cmd=["-x"])
    assert (made.entrypoint, made.cmd) == (["server"], ["-x"])
    made = planned(Cmd=["tini", "-g", "--", "server"])
    assert (made.entrypoint, made.cmd) == ([], ["server"])
    made = planned(Entrypoint=["tini", "-g", "--"])
    assert (made.entrypoint, made.cmd) == ([], [])
    assert dockerfile.entrypoint(planned(Entrypoint=["catatonit", "-P"])) == ["/pyinit", "-c", "-P"]


def test_an_inits_variables_count() -> None:
    path = "PATH=/usr/bin"
    assert planned(Entrypoint=["dumb-init", "server"], Env=[path, "DUMB_INIT_SETSID=0"]).options == ["-c"]
    assert planned(Entrypoint=["tini", "server"], Env=[path, "TINI_KILL_PROCESS_GROUP=1"]).options == []


def test_tini_before_a_script_without_exec_signals_the_group_from_now_on() -> None:
    made = planned({"/entry.sh": "#!/bin/sh\nserver\n"}, Entrypoint=["tini", "--", "/entry.sh"])
    assert made.options == []
    assert any("whole process group gets the signals" in text for text in texts(made, plan.CHANGE))


def test_an_init_within_a_script_is_a_doubt() -> None:
    made = planned({"/entry.sh": '#!/bin/sh\nexec tini -- "$@"\n'}, Entrypoint=["/entry.sh"], Cmd=["server"])
    assert any("not PID 1 any more" in text for text in texts(made, plan.DOUBT))


def test_a_wrong_command_line_of_another_init_is_refused() -> None:
    with pytest.raises(CannotLook, match="tini in its command line"):
        planned(Entrypoint=["tini", "--no-such-option", "server"])


S6 = "#!/bin/sh -e\nexec s6-overlay-suexec /run/s6/basedir/scripts/rc.init top\n"


@pytest.mark.parametrize(
    ("config", "files"),
    [
        ({"Entrypoint": ["/init"]}, {"/init": S6}),
        ({"Entrypoint": ["/init"]}, {"/init": ELF}),
        ({"Cmd": ["/sbin/init"]}, {}),
        ({"Cmd": ["/bin/sh", "-c", "/lib/systemd/systemd"]}, {"/lib/systemd/systemd": ELF}),
        ({"Entrypoint": ["/entry.sh"]}, {"/entry.sh": "#!/bin/sh\nexec /sbin/my_init\n"}),
    ],
)
def test_inits_that_must_be_pid_1_are_refused(config: dict[str, Any], files: dict[str, str]) -> None:
    with pytest.raises(CannotLook, match="must be PID 1"):
        planned(files, **config)


def test_a_script_that_is_only_called_init_is_none() -> None:
    made = planned({"/init": '#!/bin/sh\nexec "$@"\n'}, Entrypoint=["/init"], Cmd=["server"])
    assert made.entrypoint == ["/init"]


def test_pyinit_is_not_put_in_twice() -> None:
    with pytest.raises(CannotLook, match="starts with pyinit already"):
        planned(Entrypoint=["/pyinit", "--", "server"])
    with pytest.raises(CannotLook, match="has a /pyinit already"):
        planned({"/pyinit": "x"}, Cmd=["server"])
    with pytest.raises(CannotLook, match="has a volume at /pyinit"):
        planned(Cmd=["server"], Volumes={"/pyinit/": {}})


def test_empty_words_are_words_and_one_alone_is_no_entry_point() -> None:
    made = planned(Entrypoint=["server", "", "b"], Cmd=["", "z"])
    assert (made.entrypoint, made.cmd) == (["server", "", "b"], ["", "z"])
    assert planned(Entrypoint=[""], Cmd=["server"]).entrypoint == []


ENGINES = {
    "garbage": b"\x7fELF garbage",
    "no interpreter": b"#!/nonexistent\n",
    "another program": b"#!/bin/sh\necho hello\n",
    "no image": b"#!/bin/sh\necho '[]'\n",
    "no object": b"#!/bin/sh\necho '[1]'\n",
    "no identity": b"#!/bin/sh\necho '[{}]'\n",
    "silent": b"#!/bin/sh\n",
    "failing": b"#!/bin/sh\nexit 3\n",
}


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_is_broken_is_one_line(tmp_path: Path, name: str) -> None:
    engine = tmp_path / "podman"
    engine.write_bytes(ENGINES[name])
    engine.chmod(0o755)
    done = ctl("adopt", "shop", "--engine", "podman", "-o", tmp_path / "out", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("Error: podman")


@pytest.mark.parametrize("said", ["\u00b2", "3..11", "9" * 5000 + ".1.1", ""])
def test_an_interpreter_that_says_no_release_is_unusable(tmp_path: Path, said: str) -> None:
    (tmp_path / "engine").write_text(f"#!/bin/sh\necho '{said}'\n")
    (tmp_path / "engine").chmod(0o755)
    search = file.Search()
    file.ask_why(Engine("podman", str(tmp_path / "engine")), an_image(), "/usr/bin/python3", search, "it says why")
    assert search.unusable == ["/usr/bin/python3 does not start: it says why"]


def test_a_user_is_taken_on_by_pyinit_as_root() -> None:
    made = planned(user="app", User="www-data", Cmd=["server"])
    assert (made.options, made.user) == (["-u", "app"], "0")
    assert "USER was www-data" in texts(made, plan.CHANGE)[0]
    assert planned(user="app", Cmd=["server"]).user == ""
    assert planned(User="33", Cmd=["server"]).user == ""


def test_a_user_whom_the_image_does_not_know_is_refused() -> None:
    with pytest.raises(CannotLook, match="--user: 'nobody-here' is neither in /etc/passwd nor a number, in the image"):
        planned(user="nobody-here", Cmd=["server"])
    assert planned(user="4242:4242", Cmd=["server"]).options == ["-u", "4242:4242"]


def test_gosu_with_a_name_is_taken_over_and_without_one_it_stays() -> None:
    made = planned(Entrypoint=["gosu", "app", "server"])
    assert (made.options, made.entrypoint) == (["-u", "app"], ["server"])
    made = planned(Entrypoint=["tini", "-g", "gosu", "app"], Cmd=["server"])
    assert (made.options, made.entrypoint, made.cmd) == (["-u", "app"], [], ["server"])
    made = planned(Entrypoint=["/usr/sbin/gosu", "1000", "server"])
    assert (made.options, made.entrypoint) == ([], ["/usr/sbin/gosu", "1000", "server"])
    made = planned(Entrypoint=["fixuid", "-q", "server"], User="app")
    assert (made.entrypoint, texts(made, plan.NOTE)) == (
        ["fixuid", "-q", "server"],
        ["fixuid stays: it becomes the program, and pyinit waits for that"],
    )


GUNICORN = ["gunicorn", "-w", "2", "app"]
WITH_GUNICORN = {"/usr/local/bin/gunicorn": "#!/usr/bin/python3\n"}


@pytest.mark.parametrize(
    "config",
    [
        {"Cmd": GUNICORN},
        {"Entrypoint": ["tini", "-g", "--"], "Cmd": GUNICORN},
        {"Cmd": ["/bin/sh", "-c", " ".join(GUNICORN)]},
        {"Entrypoint": ["/entry.sh"], "Cmd": GUNICORN},
        {"Entrypoint": ["/branches.sh"], "Cmd": ["web"]},
        {"Cmd": ["python3", "-m", *GUNICORN]},
    ],
)
def test_a_master_that_directs_its_workers_gets_the_signals_alone(config: dict[str, Any]) -> None:
    branches = '#!/bin/sh\nif [ "$1" = web ]; then\n  exec gunicorn app\nfi\n'
    made = planned({**WITH_GUNICORN, "/entry.sh": '#!/bin/sh\nexec "$@"\n', "/branches.sh": branches}, **config)
    assert made.options == ["-c"]


def test_a_shell_before_such_a_master_is_a_doubt() -> None:
    made = planned({**WITH_GUNICORN, "/entry.sh": '#!/bin/sh\n"$@"\n'}, Entrypoint=["/entry.sh"], Cmd=GUNICORN)
    assert made.options == []
    assert any("gunicorn wants its signals for itself (-c)" in text for text in texts(made, plan.DOUBT))


def test_the_images_stop_signal_starts_pyinits_clocks() -> None:
    assert planned(Cmd=["server"], StopSignal="SIGQUIT").options == ["--stop-signal", "QUIT"]
    assert planned(Cmd=["server"], StopSignal="37").options == ["--stop-signal", "RTMIN+3"]
    assert planned(Cmd=["server"], StopSignal="SIGTERM").options == []
    assert planned(Cmd=["server"], StopSignal="SIGINT").options == []


def test_a_stop_signal_that_no_program_gets_is_a_doubt() -> None:
    assert "reaches no program" in texts(planned(Cmd=["server"], StopSignal="SIGKILL"), plan.DOUBT)[0]
    assert "no signal here" in texts(planned(Cmd=["server"], StopSignal="SIGNONE"), plan.DOUBT)[0]


def test_a_server_that_wants_another_signal_gets_it() -> None:
    files = {"/usr/bin/nginx": ELF}
    assert planned(files, Cmd=["nginx"]).options == ["-r", "TERM:QUIT"]
    assert planned(files, Cmd=["nginx"], StopSignal="SIGQUIT").options == ["--stop-signal", "QUIT"]
    made = planned(files, Entrypoint=["dumb-init", "-r", "15:2"], Cmd=["nginx"])
    assert made.options == ["--session", "-r", "TERM:INT"]
    made = planned(files, Cmd=["nginx"], StopSignal="SIGUSR1")
    assert made.options == ["--stop-signal", "USR1"]
    assert "If that is right here, add -r USR1:QUIT" in texts(made, plan.DOUBT)[0]


def test_a_program_that_is_not_there_is_a_doubt() -> None:
    assert "nothing-here is not in the image" in texts(planned(Cmd=["nothing-here"]), plan.DOUBT)[0]


def test_onbuild_is_a_doubt() -> None:
    assert "ONBUILD steps" in texts(planned(Cmd=["server"], OnBuild=["COPY . /app"]), plan.DOUBT)[0]


def test_podman_has_onbuild_in_the_history_alone() -> None:
    told = {
        "Id": "ab",
        "ManifestType": "application/vnd.docker.distribution.manifest.v2+json",
        "History": [{"created_by": "/bin/sh -c #(nop) ONBUILD COPY . /app"}, {"created_by": "/bin/sh -c true"}],
    }
    about = image.read("shop", told)
    assert (about.on_build, about.on_build_is_certain, about.is_dockers_format) == (("COPY . /app",), False, True)


def test_another_system_is_refused() -> None:
    about = dataclasses.replace(an_image(Cmd=["server"]), system="windows")
    with pytest.raises(CannotLook, match="is for windows: pyinit is for Linux"):
        plan.make(about, Files(about, {}), None)


def test_from_takes_a_name_and_no_number() -> None:
    told = {"Id": "sha256:ab12", "RepoTags": ["shop:3"]}
    assert image.name_for_from("ab1", told) == "shop:3"
    assert image.name_for_from("shop", told) == "shop"
    with pytest.raises(CannotLook, match="no name that FROM could take"):
        image.name_for_from("sha256:ab12", {"Id": "sha256:ab12"})


def test_the_dockerfile_is_what_was_planned_and_a_comment_is_one_whatever_the_image_says() -> None:
    about = an_image(Cmd=["server\nRUN evil", 'a"b\\', "$HOME", "ä"])
    made = plan.make(about, Files(about, {}), None)
    lines = dockerfile.write(about, made, "").splitlines()
    instructions = [line for line in lines if not line.startswith("#")]
    assert [line.split()[0] for line in instructions] == ["FROM", "COPY", "ENTRYPOINT", "CMD"]
    assert json.loads(instructions[-1].partition(" ")[2]) == ["server\nRUN evil", 'a"b\\', "$HOME", "ä"]
    assert any(line.startswith("# Doubt: ") for line in lines)


def test_the_dockerfile_of_another_platform_names_it() -> None:
    about = an_image(Cmd=["server"])
    text = dockerfile.write(about, plan.make(about, Files(about, {}), None), "linux/arm64")
    assert "FROM --platform=linux/arm64 shop\n" in text


# The file.


def of_another_machine() -> image.Image:
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    return dataclasses.replace(an_image(Cmd=["server"]), architecture=other)


def test_an_interpreter_of_another_machine_cannot_be_asked_and_runs_the_sources() -> None:
    about = of_another_machine()
    files = Files(about, {"/usr/bin/python3": ELF})
    made = file.make(files.engine, about, files, None, wants_standalone=False)
    assert (made.form, made.python) == ("zipapp", "/usr/bin/python3")
    assert "could not be asked here: it must be Python 3.9 or newer" in made.doubts[0]
    assert check.examine(made.data).release == ""


@pytest.mark.parametrize("wants_standalone", [False, True])
def test_a_standalone_file_for_another_machine_is_refused(wants_standalone: bool) -> None:
    about = of_another_machine()
    files = Files(about, {"/usr/bin/python3": "#!/bin/sh\n"})  # a wrapper is no interpreter
    with pytest.raises(CannotLook, match=r"build it there, and name it with --file"):
        file.make(files.engine, about, files, None, wants_standalone)


def test_a_file_that_is_given_must_be_pyinits_and_run_in_the_image(tmp_path: Path) -> None:
    about = an_image(Cmd=["server"])
    made = tmp_path / "made"
    zipapp.build(made, "/usr/bin/python3", source_only=True)
    assert file.given(made, about, Files(about, {"/usr/bin/python3": ELF})).python == "/usr/bin/python3"
    with pytest.raises(CannotLook, match="run by /usr/bin/python3, which is not in the image"):
        file.given(made, about, Files(about, {}))
    other = tmp_path / "other"
    for content, says in (
        (b"\x7fELF", "no standalone file of pyinit's"),
        (b"#!/bin/sh\n", "first line is not pyinit's"),
    ):
        other.write_bytes(content)
        with pytest.raises(CannotLook, match=says):
            file.given(other, about, Files(about, {}))
    with pytest.raises(CannotLook, match="cannot read"):
        file.given(tmp_path / "none", about, Files(about, {}))


def test_an_executable_of_another_machine_is_known_by_its_header() -> None:
    here = Path("/proc/self/exe").read_bytes()[:64]
    name = next(name for name, (machine, _) in file.ARCHITECTURES.items() if machine == os.uname().machine)
    about = dataclasses.replace(an_image(), architecture=name)
    file.check_machine(here, about, "--file")
    with pytest.raises(CannotLook, match=f"--file: the file is for {name}, and the image for"):
        file.check_machine(here, of_another_machine(), "--file")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["shop"], "say where it is to go"),
        (["shop", "-t", "x", "--file", "f", "--standalone"], "leave out --standalone"),
        (["shop", "-t", "x", "--python", "python3"], "no absolute path"),
        (["-t", "x", "--no-such-option"], "No such option"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(words: list[str], says: str) -> None:
    done = ctl("adopt", *words)
    assert done.returncode == 2
    assert says in done.stderr.splitlines()[-1]


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    done = ctl("adopt", "shop", "-o", tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: docker is not installed; podman is not installed\n"
