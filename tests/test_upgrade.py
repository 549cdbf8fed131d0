"""An upgrade under a running container: the interpreter, its libraries and pyinit's own file are deleted or replaced.

Each test runs a copy of an interpreter with all that belongs to it, takes the copy away once the program has started,
and then makes pyinit do what it may have to do. Nothing of it may be missing: whatever it needs is in memory.
"""

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyinit.ctl import zipapp
from tests.conftest import INTERPRETERS, short
from tests.start.test_terminal import CONTAINER, PROMPT, READS_A_WORD, in_background, in_shell, suspend, the_pyinit_of
from tests.support import (
    Pyinit,
    Run,
    Terminal,
    children,
    descendants,
    proc_status,
    require_namespaces,
    state,
    wait_until,
)

LONG = os.environ.get("TESTS_PYINIT_LONG") == "1"

# What no start of an interpreter reads.
NOT_COPIED = ("test", "*-packages", "idlelib", "tkinter", "ensurepip", "lib2to3", "config-*", "*.a", "*.opt-?.pyc")


class Installed:
    """A copy of an interpreter, its standard library, the shared libraries that it is linked with, and pyinit's file.

    `how` is what an upgrade does to it: `delete` or `replace`.
    """

    def __init__(self, directory: Path, how: str) -> None:
        self._directory = directory
        self._how = how
        self.libraries = directory / "lib"
        self.file = directory / "pyinit"
        self.mark = directory.with_name("was-read")
        # What the kernel makes of pyinit's first line; the loader finds the libraries in the copy.
        self.python = (str(directory / "bin" / "python3"), zipapp.OPTIONS + zipapp.LINE_1)
        self.environment = {"LD_LIBRARY_PATH": str(self.libraries), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def install(self, python: str, source_only: bool) -> None:
        """Copy all of it, and build pyinit's file."""
        script = "import os, sys; print(os.path.realpath(sys.executable), os.path.dirname(os.__file__), sep='\\n')"
        executable, library = subprocess.check_output([python, "-ISc", script], text=True).splitlines()
        ignored = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(library, self.libraries / Path(library).name, ignore=ignored, symlinks=True)
        for path in re.findall(r"=> (/\S+)", subprocess.check_output(["ldd", executable], text=True)):
            shutil.copy(path, self.libraries)
        (self._directory / "bin").mkdir()
        shutil.copy(executable, self.python[0])
        zipapp.build(self.file, python, source_only)

    def linked(self, directory: Path, how: str) -> "Installed":
        """The same files once more: hard links, of which each can go its own way."""
        shutil.copytree(self._directory, directory, copy_function=os.link, symlinks=True)
        return Installed(directory, how)

    def take_away(self) -> None:
        """Delete everything, or put another file in the place of each, as package managers do it: by renaming.

        Whoever imports or runs one of these leaves a mark, and whoever reads it otherwise finds it broken. Libraries
        that are not Python's are deleted even so, since the program's processes would find them broken, too.
        """
        if self._how == "delete":
            shutil.rmtree(self._directory)
            return
        trap = self.mark.with_name("trap")
        trap.write_text(f"#!/bin/sh\n': ' >{self.mark}\nopen({str(self.mark)!r}, 'a').close()\n")
        trap.chmod(0o755)
        for path in [path for path in self._directory.rglob("*") if path.is_file() and not path.is_symlink()]:
            if path.parent == self.libraries and "libpython" not in path.name:
                path.unlink()
            else:
                os.link(trap, f"{path}.new")
                os.rename(f"{path}.new", path)

    def start(
        self, *arguments: "str | Path", name: str = "", **options: Any
    ) -> "contextlib.AbstractContextManager[Run]":
        """As Pyinit.start, under another init's name if one is given. Standard error is standard output."""
        pyinit = Pyinit(self.file, self.python[0])
        settings = {"env": self.environment, "stderr": subprocess.STDOUT, **options}
        return (pyinit.named(name) if name else pyinit).start(*arguments, wrapper=self.python, **settings)


# Whether the file has the interpreter's byte code or it compiles the sources, and what an upgrade does. Where pyenv
# made the running interpreter its zlib is a shared library, as in the images named python; Debian's has it built in.
VERSIONS = list(INTERPRETERS)
SHORT_FORM = [(VERSIONS[0], "byte-code", "delete"), (VERSIONS[0], "sources", "replace")]
SHORT_FORM += [(version, "byte-code", "replace") for version in VERSIONS[1:] if "/usr/bin/" in INTERPRETERS[version]]
LONG_FORM = list(itertools.product(VERSIONS, ("byte-code", "sources"), ("delete", "replace")))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> "Callable[[str, bool], Installed]":
    """Copies that stay as they are, one for each interpreter and each way to build pyinit."""
    made: "dict[tuple[str, bool], Installed]" = {}

    def pristine(python: str, source_only: bool) -> Installed:
        if (python, source_only) not in made:
            copy = made[python, source_only] = Installed(tmp_path_factory.mktemp("pristine"), "keep")
            copy.install(python, source_only)
        return made[python, source_only]

    return pristine


@pytest.fixture(
    params=[
        pytest.param(case, id="-".join(case), marks=[] if case in SHORT_FORM else pytest.mark.long)
        for case in (LONG_FORM if LONG else SHORT_FORM)
    ]
)
def installed(
    request: pytest.FixtureRequest, pristine: "Callable[[str, bool], Installed]", tmp_path: Path
) -> "Iterator[Installed]":
    """A copy for one test, which takes it away once the program has started."""
    require_namespaces()
    version, content, how = request.param
    copy = pristine(short(INTERPRETERS[version]), content == "sources").linked(tmp_path / "installed", how)
    yield copy
    assert not copy.mark.exists()


def events_of(journal: Path) -> "list[str]":
    return [json.loads(line)["event"] for line in journal.read_text().splitlines()]


# Makes an orphan at each USR1; ignores TERM; ends with 7 on USR2, leaving behind a process that ignores TERM, too.
PROGRAM = """
trap '(exit 3 &); echo usr1' USR1
trap '' TERM
trap 'sleep 1000 & exit 7' USR2
echo ready
while :; do sleep 0.05; done
"""


def test_a_plain_start_forwards_reaps_warns_and_drains(installed: Installed) -> None:
    """Most starts are like this one, and load nothing but what is needed to start the program."""
    with installed.start("--", "sh", "-c", PROGRAM) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGUSR1)
        run.wait_for("usr1\n")
        program = min(children(run.pid))
        wait_until(lambda: children(run.pid) == [program], "the orphan is reaped")
        run.send(signal.SIGTERM)
        run.wait_for(r"pyinit: the program \(pid \d+\) ignores SIGTERM\n")
        run.send(signal.SIGUSR2)
        run.wait_for(r"pyinit: the program has left 1 process: \d+ \(\w+\); TERM now, KILL in \d\.\d s\n")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 7
    assert re.search(r"pyinit: SIGTERM did not end \d+ \((sleep|sh), ignores it\): killed\n", output)
    assert "internal error" not in output


def test_a_plain_start_that_is_not_pid_1_drains(installed: Installed) -> None:
    """A subreaper signals each descendant by itself."""
    with installed.start("--", "sh", "-c", PROGRAM, namespace=False) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGUSR2)
        run.wait_for("the program has left 1 process")
        below = descendants(run.pid)
        run.send(signal.SIGTERM)
        wait_until(lambda: not int(proc_status(run.pid).get("ShdPnd", "0"), 16), "the first TERM is collected")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 7
    assert not any(map(state, below))
    assert "internal error" not in output


def test_the_journal_the_log_and_rewriting(installed: Installed, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    options = ["-v", "-w", "-r", "HUP:USR1", "-r", "WINCH:0", "-e", "7:9", "--grace", "0.2"]
    with installed.start(*options, "--events", journal, "--", "sh", "-c", PROGRAM) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGWINCH)
        run.send(signal.SIGHUP)
        run.wait_for("forwarded SIGHUP as SIGUSR1 to -")
        run.wait_for(r"pyinit: reaped orphan \d+ \(sh\), status 3\n")
        run.send(signal.SIGUSR2)
        status, output, _ = run.finish()
    assert status == 9
    assert "internal error" not in output
    assert {"start", "spawn", "signal", "forwarded", "reaped", "drain", "killed", "ended"} == set(events_of(journal))
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    assert all("max_rss" in event for event in events if event["event"] == "reaped")
    assert events[-1]["own"]["max_rss"] > 1 << 20


def test_stop_timeout(installed: Installed) -> None:
    with installed.start("--stop-timeout", "0.2", "--", "sh", "-c", PROGRAM) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 137
    assert re.search(r"SIGTERM did not end \d+ \(sh, ignores it\): killed\n", output)


def test_orphans_that_are_to_end(installed: Installed) -> None:
    program = "trap '(trap \"\" TERM; sleep 1000 &)' USR1; trap 'exit 4' USR2; echo ready; while :; do sleep 0.05; done"
    with installed.start("-v", "--orphans", "end", "--grace", "0.2", "--", "sh", "-c", program) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGUSR1)
        run.wait_for(r"the parent of \d+ has died: it gets TERM\n")
        run.wait_for(r"TERM did not end the orphan \d+ \(\w+, ignores it\): killed\n")
        run.send(signal.SIGUSR2)
        status, output, _ = run.finish()
    assert status == 4
    assert "internal error" not in output


def test_wait_all(installed: Installed) -> None:
    program = (
        'setsid sh -c \'trap "" TERM; trap "echo got usr1; exit" USR1; echo ready; while :; do sleep 0.05; done\' & '
    )
    with installed.start(
        "--wait-all", "--", "sh", "-c", f"{program} trap 'exit 5' TERM; while :; do wait; done"
    ) as run:
        run.wait_for("ready\n")
        installed.take_away()
        program_pid = min(children(run.pid))
        wait_until(lambda: int(proc_status(program_pid)["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1, "its trap is set")
        run.send(signal.SIGTERM)
        wait_until(lambda: not state(program_pid), "the program is reaped")
        run.send(signal.SIGUSR1)
        run.wait_for("got usr1\n")
        status, output, _ = run.finish()
    assert status == 5
    assert "internal error" not in output


def test_pause(installed: Installed) -> None:
    with installed.start("-v", "--pause", "--events", "/dev/stderr") as run:
        run.wait_for('"event": "start"')
        wait_until(lambda: run.pid and state(run.pid) == "S", "pyinit waits")
        installed.take_away()
        run.send(signal.SIGUSR1)
        run.wait_for('"signal": "SIGUSR1"')
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 0
    assert "internal error" not in output


def test_session_stops_and_continues(installed: Installed) -> None:
    with installed.start("-v", "--session", "--", "sh", "-c", "echo ready; exec sleep 1000") as run:
        run.wait_for("ready\n")
        installed.take_away()
        (program,) = children(run.pid)
        run.send(signal.SIGTSTP)
        wait_until(lambda: state(program) == "T", "the program is stopped")
        run.wait_for(r"forwarded SIGTSTP as SIGSTOP to -\d+\n")
        run.send(signal.SIGCONT)
        wait_until(lambda: state(program) == "S", "the program goes on")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 143
    assert "internal error" not in output


@pytest.mark.parametrize("options", [[], ["--session"]], ids=["group", "session"])
def test_a_terminal_is_handed_over(installed: Installed, options: "list[str]") -> None:
    command = [*CONTAINER, *installed.python, str(installed.file), *options, "--", "sh", "-c", READS_A_WORD]
    with Terminal("env", f"LD_LIBRARY_PATH={installed.environment['LD_LIBRARY_PATH']}", *command) as terminal:
        terminal.wait_for("job-42")
        installed.take_away()
        pid = the_pyinit_of(terminal)
        (program,) = children(pid)
        os.kill(pid, signal.SIGTSTP)
        if options:
            wait_until(lambda: state(program) == "T", "the program is stopped")
        os.kill(pid, signal.SIGCONT)
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        assert terminal.finish() == 0
        assert "internal error" not in terminal.output


def test_a_shells_job_is_stopped_and_resumed(installed: Installed) -> None:
    with in_shell() as terminal:
        words = ["env", f"LD_LIBRARY_PATH={installed.environment['LD_LIBRARY_PATH']}", *installed.python]
        terminal.type(shlex.join([*words, str(installed.file), "--", "sh", "-c", READS_A_WORD]) + "\n")
        terminal.wait_for("job-42")
        installed.take_away()
        suspend(terminal)
        terminal.type("fg\n")
        wait_until(lambda: not in_background(terminal), "the job is in the foreground")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        terminal.wait_for(PROMPT)
        assert "internal error" not in terminal.output


ENDS_ON_TERM = "exec 2>/dev/null; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("user", [[], ["--user", "nobody", "--no-new-privileges"]], ids=["root", "user"])
def test_commands_run_after_the_program(installed: Installed, user: "list[str]") -> None:
    """One is well, one fails, one is not there, one cannot be executed, and one leaves a process behind."""
    commands = ["sh -c 'echo after $PYINIT_STATUS'", "false", "no-such-command", "/etc/passwd", "sh -c 'sleep 1000 &'"]
    options = [word for command in commands for word in ("--after", command)]
    with installed.start(*user, *options, "--", "sh", "-c", ENDS_ON_TERM) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 7
    *lines, last = output.splitlines()[1:]
    assert re.fullmatch(r"pyinit: the program has left 1 process: \d+ \(\w+\); TERM now, KILL in \d\.\d s", last)
    assert lines == [
        "after 7",
        "pyinit: --after ['false']: status 1",
        "pyinit: cannot run ['no-such-command']: 'no-such-command' not found",
        "pyinit: --after ['no-such-command']: status 127",
        "pyinit: cannot run ['/etc/passwd']: Permission denied",
        "pyinit: --after ['/etc/passwd']: status 126",
    ]


def test_secrets_are_in_the_program_alone(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("swordfish\n")
    hook = "sh -c 'echo after: $SECRET'"
    program = f"trap 'echo $SECRET' USR1; {ENDS_ON_TERM}"
    options = ["--secret", f"SECRET={tmp_path / 'secret'}", "--after", hook]
    with installed.start(*options, "--", "sh", "-c", program) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGUSR1)
        run.wait_for("swordfish\n")
        run.send(signal.SIGTERM)
        assert run.finish()[:2] == (7, "ready\nswordfish\nafter:\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tini", "-vvv"], ["Passing signal: 'User defined signal 1'", "Reaped child with pid: '"]),
        (["dumb-init", "-v", "-r", "10:12"], ["Received signal 10.", "Translating signal 10 to 12."]),
        (["catatonit"], []),
    ],
    ids=["tini", "dumb-init", "catatonit"],
)
def test_another_inits_words(installed: Installed, words: "list[str]", expected: "list[str]") -> None:
    name, *options = words
    environment = {**installed.environment, "CATATONIT_DEBUG": "1"}
    program = f"trap 'echo usr' USR1 USR2; {ENDS_ON_TERM}"
    with installed.start(*options, "--", "sh", "-c", program, name=name, env=environment) as run:
        run.wait_for("ready\n")
        installed.take_away()
        run.send(signal.SIGUSR1)
        run.wait_for("usr\n")
        run.send(signal.SIGTERM)
        status, output, _ = run.finish()
    assert status == 7
    assert all(text in output for text in expected)
    assert "internal error" not in output
