"""Under the name of another init."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from tests.support import Pyinit, children, proc_status, state, wait_until

from .support import read


@pytest.mark.parametrize(("words", "single"), [([], True), (["-g"], False), (["--", "-g"], True)])
def test_under_tinis_name_the_program_alone_gets_signals(words: "list[str]", single: bool) -> None:
    for name in ("tini", "/sbin/docker-init", "/usr/bin/tini-static"):
        assert read(*words, "p", name=name).single_child is single
    assert read("p", name="tini", TINI_KILL_PROCESS_GROUP="").single_child is False


def test_wrong_usage_under_tinis_name_ends_with_1(pyinit: Pyinit) -> None:
    assert pyinit.named("tini").run("-x")[0] == 1


DUMB_INIT = "/usr/bin/dumb-init"


@pytest.mark.parametrize(
    "words",
    [
        *([], ["-x"], ["-cx"], ["--nonsense"], ["--nonsense=1", "true"], ["-r"], ["--rewrite"], ["-r", "bad", "true"]),
        *(["-r", "40:1", "true"], ["--rewrite=1:32", "true"], ["-r", "1", "true"], ["--"], ["-v"]),
    ],
)
def test_f84_dumb_inits_words_about_its_command_line(pyinit: Pyinit, words: "list[str]") -> None:
    if not os.path.exists(DUMB_INIT):
        pytest.skip("no dumb-init")
    theirs = subprocess.run([DUMB_INIT, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    status, output, errors = pyinit.named("dumb-init").run(*words)
    assert (status, output) == (theirs.returncode, theirs.stdout)
    assert errors == theirs.stderr.replace(DUMB_INIT, "dumb-init")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("tini", words) for words in ([], ["-x"], ["-vx"], ["--nonsense"], ["-p"], ["-e"], ["--"])),
        *(("catatonit", words) for words in ([], ["-x"], ["-gx"], ["--nonsense"], ["--help"], ["-g"], ["--"])),
    ],
)
def test_f84_tinis_and_catatonits_words_about_a_command_line(pyinit: Pyinit, name: str, words: "list[str]") -> None:
    """What is wrong and the usage are theirs; tini's usage goes on with a help, and ours is our own."""
    theirs = shutil.which(name)
    if theirs is None:
        pytest.skip(f"no {name}")
    done = subprocess.run([theirs, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    status, output, errors = pyinit.named(name).run(*words)
    assert (status, output) == (done.returncode, done.stdout)
    expected, found = (
        re.sub(r"\(catatonit:\d+\)| - git\.[^)]*", "", text.replace(theirs, name)).splitlines()
        for text in (done.stderr, errors)
    )
    lines = 2 if name == "tini" else len(expected)
    assert found[:lines] == expected[:lines]


def test_f84_tini_says_that_zombie_reaping_will_not_work(pyinit: Pyinit) -> None:
    _, _, errors = pyinit.named("tini").run("true", namespace=False)
    assert "zombie reaping won't work" in errors


def test_dumb_init_without_a_session_stops_with_the_program(pyinit: Pyinit) -> None:
    """It forwards the terminal's stop as it came, and then stops itself until CONT, as dumb-init does."""
    environment = {**os.environ, "DUMB_INIT_SETSID": "0"}
    with pyinit.named("dumb-init").start("sleep", "1000", namespace=False, env=environment) as run:
        wait_until(lambda: [proc_status(pid).get("Name") for pid in children(run.pid)] == ["sleep"], "it runs")
        (program,) = children(run.pid)
        run.send(signal.SIGTSTP)
        wait_until(lambda: state(run.pid) == state(program) == "T", "both are stopped")
        run.send(signal.SIGCONT)
        wait_until(lambda: state(run.pid) == state(program) == "S", "both go on")
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 143
