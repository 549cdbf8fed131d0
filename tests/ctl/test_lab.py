"""`pyinitctl lab`: every experiment runs for real, and what it tells is what happens."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psutil
import pytest
import rich

from pyinit.ctl.lab import workshop as workshop_of_the_lab
from pyinit.ctl.lab.experiments import BY_NAME, EXPERIMENTS
from tests.support import DEADLINE, REPOSITORY, Terminal, probe, require_namespaces, wait_until

MAIN = "from pyinit.ctl.__main__ import main; main(prog_name='pyinitctl')"
LAB = [sys.executable, "-c", MAIN, "lab"]
NOBODY = 65534

pytestmark = pytest.mark.timeout(300)  # all experiments take 20 s where nothing else runs

LINES = 45  # of a terminal window
COLUMNS = 80

USERS = [each.name for each in EXPERIMENTS if each.needs_users]


@pytest.fixture(autouse=True)
def namespaces() -> None:
    require_namespaces()


def run(command: "list[str]", **options: object) -> "subprocess.CompletedProcess[str]":
    settings = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": REPOSITORY, **options}
    return subprocess.run(command, **settings)  # type: ignore[call-overload, no-any-return]


def lab(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    return run([*LAB, *arguments], **options)


def left_of(directory: Path) -> "list[str]":
    """What a lab with this TMPDIR has left: files, and processes, which have the directory in their PATH."""
    found = [str(path) for path in directory.iterdir()]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, FileNotFoundError):  # it may end while it is looked at
            if str(directory) in process.environ().get("PATH", ""):
                found.append(f"{process.pid} {process.cmdline()}")
    return found


@pytest.fixture
def elsewhere(tmp_path: Path) -> "dict[str, str]":
    """An environment in which the lab makes its directory where we can see whether it is deleted."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


@pytest.fixture(scope="module")
def results() -> "dict[str, Any]":
    """What `lab all --json` writes, by experiment."""
    require_namespaces()
    done = lab("all", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return {result["name"]: result for result in json.loads(done.stdout)}


@pytest.mark.parametrize("name", BY_NAME)
def test_what_an_experiment_tells_is_what_happens(name: str, results: "dict[str, Any]") -> None:
    result = results[name]
    assert result["verdict"] == "held"
    assert [trial["case"] for trial in result["trials"]] == [trial.case for trial in BY_NAME[name].trials]
    assert [trial["observed"] for trial in result["trials"]] == [trial.told for trial in BY_NAME[name].trials]
    assert all(trial["evidence"][0].startswith("$ ") for trial in result["trials"])


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="there is no bash")
def test_all_holds_where_sh_is_bash(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/bash")
    done = lab("all", "--json", env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def everything() -> str:
    """What `lab all` writes into a pipe."""
    require_namespaces()
    done = lab("all")
    assert (done.returncode, done.stderr) == (0, "")
    return str(done.stdout)


def test_all_shows_every_experiment_with_its_rule_and_manual_page(everything: str) -> None:
    for experiment in EXPERIMENTS:
        part = everything.partition(f"{experiment.name}: {experiment.title}")[2].partition("\n\n\n")[0]
        assert "What will happen" in part and "The rule" in part and f"Read: {experiment.manual[0]}" in part
    assert f"\n{len(EXPERIMENTS)} experiments: {len(EXPERIMENTS)} held\n" in everything


def test_each_experiment_fits_a_screen(everything: str) -> None:
    titles = [everything.index(f"\n{each.name}: {each.title}\n") for each in EXPERIMENTS]
    for experiment, start, end in zip(EXPERIMENTS, titles, [*titles[1:], len(everything)]):
        assert everything[start:end].count("\n") <= LINES, experiment.name
    # What programs write is theirs.
    assert [line for line in everything.splitlines() if len(line) > COLUMNS and not line.startswith("    > ")] == []


@pytest.mark.parametrize(
    ("proc", "reason"),
    [
        (("unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"), "and it does not tell"),
        (("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"), "and it does not tell"),
        (("unshare", "--pid", "--fork"), "of its own PID namespace"),
    ],
)
def test_without_a_usable_proc_it_says_so(proc: "tuple[str, ...]", reason: str) -> None:
    if os.geteuid():
        pytest.skip("needs root, to mount")
    done = run([*proc, *LAB, "run", "pid1"])
    assert (done.returncode, done.stdout) == (3, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("pyinitctl lab: needs ")
    assert reason in line


def test_there_is_no_colour_in_a_pipe(everything: str) -> None:
    assert "\x1b" not in everything


def test_colour_at_a_terminal_but_not_with_no_color() -> None:
    plain = ["env", "-u", "NO_COLOR"]
    for wrapper, colourful in ((plain, True), (["env", "NO_COLOR=1"], False)):
        with Terminal(*wrapper, "TERM=xterm", *LAB, "run", "pid1") as terminal:
            assert terminal.finish() == 0
        assert "The rule" in terminal.output
        assert bool(re.search(r"\x1b\[[\d;]*[34]\dm", terminal.output)) is colourful


def test_explain_tells_the_longer_story() -> None:
    done = lab("run", "pid1", "--explain")
    assert "A container is an ordinary process" in done.stdout
    assert "A container is an ordinary process" not in lab("run", "pid1").stdout


def test_a_program_is_the_same_in_every_experiment_that_has_it() -> None:
    for experiment in EXPERIMENTS:
        assert all(workshop_of_the_lab.PROGRAMS[name] == script for name, script in experiment.programs.items())


def test_list_names_every_experiment() -> None:
    assert [line.split()[0] for line in lab("list").stdout.splitlines()] == list(BY_NAME)
    rows = json.loads(lab("list", "--json").stdout)
    assert [(row["name"], row["title"]) for row in rows] == [(each.name, each.title) for each in EXPERIMENTS]


def test_an_unknown_experiment_is_wrong_usage() -> None:
    done = lab("run", "nonsense")
    assert done.returncode == 2
    assert "'nonsense' is not one of 'pid1'" in done.stderr


def test_json_with_pause_is_wrong_usage() -> None:
    done = lab("all", "--json", "--pause")
    assert done.returncode == 2
    assert "--json" in done.stderr


def test_names_are_completed() -> None:
    environment = {**os.environ, "_PYINITCTL_COMPLETE": "bash_complete", "COMP_WORDS": "pyinitctl lab run t"}
    done = lab(env={**environment, "COMP_CWORD": "3"})
    assert done.stdout.splitlines() == ["plain,term", "plain,terminal"]


def test_variables_of_pyinit_change_nothing() -> None:
    environment = {**os.environ, "PYINIT_REWRITE": "TERM:0", "TINI_VERBOSITY": "3"}
    assert lab("run", "term", env=environment).returncode == 0


WRONG = f"""
import dataclasses
from pyinit.ctl.lab.experiments import BY_NAME
pid1 = BY_NAME["pid1"]
wrong = dataclasses.replace(pid1.trials[0], told="PID 1 is a cat")
BY_NAME["pid1"] = dataclasses.replace(pid1, trials=(wrong, *pid1.trials[1:]))
{MAIN}
"""


def test_an_outcome_that_was_not_told_is_reported() -> None:
    done = run([sys.executable, "-c", WRONG, "lab", "run", "pid1", "term"])
    assert done.returncode == 1
    assert done.stderr == "pid1, no init: told 'PID 1 is a cat', observed 'PID 1 is sleep'\n"
    assert "= PID 1 is sleep; told was: PID 1 is a cat" in done.stdout
    assert "\n2 experiments: 1 held, 1 differs\n" in done.stdout
    done = run([sys.executable, "-c", WRONG, "lab", "run", "pid1", "--json"])
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["verdict"] == "differs"


def test_a_machine_that_behaves_otherwise_is_noticed(tmp_path: Path) -> None:
    """With a `sleep` that has a handler for TERM, PID 1 ends by it."""
    sleep = tmp_path / "sleep"
    sleep.write_text(
        f"#!{sys.executable} -IS\nimport os, signal\nsignal.signal(15, lambda *_: os._exit(7))\nsignal.pause()\n"
    )
    sleep.chmod(0o755)
    done = lab("run", "term", env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 1
    assert "term, no init: told 'TERM does nothing', observed 'it ends, status 7'" in done.stderr


def test_pause_waits_for_enter_at_each_step(tmp_path: Path) -> None:
    with Terminal("env", f"TMPDIR={tmp_path}", *LAB, "run", "zombies", "--pause") as terminal:
        terminal.wait_for("What happens")
        for case in ("no init", "a shell", "pyinit"):
            terminal.wait_for(rf"\[Enter\] {case}")
            terminal.type("\n")
            pid = int(terminal.wait_for(r"look from another terminal: ps .* --ppid (\d+)")[1])
            terminal.wait_for(r"\[Enter\] end it")
            assert psutil.pid_exists(pid)  # it waits, and so does the namespace
            terminal.type("\n")
            terminal.wait_for("as told")
            assert not psutil.pid_exists(pid)
        terminal.wait_for(r"\[Enter\] the rule")
        terminal.type("\n")
        terminal.wait_for("The rule")
        assert terminal.finish() == 0
    assert left_of(tmp_path) == []


def test_pause_goes_on_at_the_end_of_the_input() -> None:
    assert lab("run", "pid1", "--pause").returncode == 0


@pytest.mark.parametrize("shown", ["What happens", r"\$ sleep 60", r"\$ pyinit", "ended: pid 3"])
def test_ctrl_c_leaves_nothing(shown: str, tmp_path: Path) -> None:
    with Terminal("env", f"TMPDIR={tmp_path}", *LAB, "run", "term", "zombies") as terminal:
        terminal.wait_for(shown)
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert left_of(tmp_path) == []


def test_ctrl_c_while_it_waits_for_enter_leaves_nothing(tmp_path: Path) -> None:
    with Terminal("env", f"TMPDIR={tmp_path}", *LAB, "run", "term", "--pause") as terminal:
        terminal.wait_for(r"\[Enter\] no init")
        terminal.type("\n")
        terminal.wait_for(r"\[Enter\] end it")
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert left_of(tmp_path) == []


@contextlib.contextmanager
def zombies(environment: "dict[str, str]") -> "Iterator[subprocess.Popen[bytes]]":
    """A lab that waits for Enter, with a namespace that lives."""
    # What we ignore, under nohup say, the lab would ignore as well.
    command = ["env", "--default-signal=HUP,TERM", *LAB, "run", "zombies", "--pause"]
    environment = {**environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        output = b""
        while b"end it" not in output:
            data = os.read(process.stdout.fileno(), 4096)
            assert data, output
            output += data
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(number: signal.Signals, elsewhere: "dict[str, str]", tmp_path: Path) -> None:
    with zombies(elsewhere) as process:
        assert left_of(tmp_path)
        process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number
    assert left_of(tmp_path) == []


def test_a_killed_lab_leaves_no_process(elsewhere: "dict[str, str]", tmp_path: Path) -> None:
    with zombies(elsewhere) as process:
        process.kill()
    wait_until(lambda: all(line.startswith("/") for line in left_of(tmp_path)), "all processes are gone")


@pytest.fixture(scope="module")
def as_nobody() -> "Iterator[list[str]]":
    """The command of a lab for a user who is not root: with an interpreter and modules that they may read."""
    if os.geteuid() != 0:
        pytest.skip("we are nobody special ourselves")
    with tempfile.TemporaryDirectory(prefix="pyinit-tests-") as directory:
        Path(directory).chmod(0o755)
        for module in (click, psutil, rich):
            assert module.__file__
            shutil.copytree(Path(module.__file__).parent, Path(directory, module.__name__))
        shutil.copytree(REPOSITORY / "pyinit", Path(directory, "pyinit"))
        script = f"import sys; sys.path.insert(0, {directory!r}); {MAIN}"
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        yield [*drop, "env", "TMPDIR=/tmp", "/usr/bin/python3", "-Ic", script, "lab"]


def test_all_holds_for_a_user_who_is_not_root(as_nobody: "list[str]") -> None:
    done = run([*as_nobody, "all", "--json"])
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = {result["name"]: result["verdict"] for result in json.loads(done.stdout)}
    assert verdicts == {name: "skipped" if name in USERS else "held" for name in BY_NAME}


@pytest.mark.skipif(os.geteuid() != 0, reason="mapping several UIDs needs root")
def test_all_holds_for_root_of_a_user_namespace_with_several_uids() -> None:
    done = run([*probe("in_user_namespace"), *LAB, "all", "--json"])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", USERS)
def test_an_experiment_with_several_users_says_what_it_needs(name: str, as_nobody: "list[str]") -> None:
    done = run([*as_nobody, "run", name])
    assert done.returncode == 3
    assert "skipped: needs root, or a user namespace with several UIDs" in done.stdout


def test_without_any_namespace_it_says_what_it_needs(as_nobody: "list[str]") -> None:
    """As root of a user namespace that allows no other below it, without a capability."""
    nothing = 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
    at = as_nobody.index("env")
    done = run(
        [*as_nobody[:at], "unshare", "--user", "--map-root-user", "sh", "-c", nothing, "sh", *as_nobody[at:], "all"]
    )
    assert done.returncode == 3
    assert done.stderr.startswith(
        "pyinitctl lab: needs root, or user namespaces, for a PID namespace of its own; unshare"
    )
    assert done.stderr.count("\n") == 1


def test_a_directory_without_permission_to_execute_is_said(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o noexec none "$TMPDIR" && exec "$@"'
    done = run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *LAB, "all"], env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    assert done.returncode == 3
    assert done.stderr.startswith("pyinitctl lab: needs a directory in which programs can be executed, not '")


def test_without_unshare_it_says_what_it_needs(tmp_path: Path) -> None:
    done = lab("all", env={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr == "pyinitctl lab: needs the program setpriv, of the package util-linux\n"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("lab") / "new" / "workshop"
    done = lab("write", str(directory))
    assert (done.returncode, done.stderr) == (0, "")
    return directory


def outcomes(output: str) -> "dict[str, str]":
    return dict(re.findall(r"^=> (.+?): (.*?)\r?$", output, re.MULTILINE))


def script(workshop: Path, name: str) -> Path:
    (found,) = workshop.glob(f"*-{name}.sh")
    return found


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "terminal"])
def test_a_script_of_the_workshop_has_the_outcomes_that_the_lab_tells(
    name: str, workshop: Path, tmp_path: Path
) -> None:
    done = run([str(script(workshop, name))], cwd="/", env={**os.environ, "TMPDIR": str(tmp_path), "PYINIT_GRACE": "0"})
    assert (done.returncode, done.stderr) == (0, "")
    assert outcomes(done.stdout) == {trial.case: trial.told for trial in BY_NAME[name].trials}
    assert left_of(tmp_path) == []


def test_the_script_about_the_terminal_is_for_somebody_who_types(workshop: Path) -> None:
    with Terminal(script(workshop, "terminal"), "15") as terminal:
        for trial in BY_NAME["terminal"].trials:
            terminal.wait_for(rf"\[{trial.case}\]")
            terminal.wait_for("Press Ctrl-C now")
            wait_until(lambda: sleeps_below(terminal.pid), "the program runs")
            terminal.type("\x03")
            terminal.wait_for(f"=> {trial.case}: {trial.told}")
        assert terminal.finish() == 0
    done = run([str(script(workshop, "terminal"))])
    assert done.returncode == 3
    assert "needs a terminal" in done.stderr


def sleeps_below(pid: int) -> bool:
    """Whether `sleep` runs below a process, and has become itself."""
    with contextlib.suppress(psutil.Error):
        return any(each.name() == "sleep" for each in psutil.Process(pid).children(recursive=True))
    return False


def test_the_scripts_run_for_a_user_who_is_not_root(as_nobody: "list[str]") -> None:
    drop = as_nobody[: as_nobody.index("env")]
    with tempfile.TemporaryDirectory(prefix="pyinit-tests-") as directory:
        os.chown(directory, NOBODY, NOBODY)
        assert run([*as_nobody, "write", directory]).returncode == 0
        for name in ("pid1", "zombies", "owner"):
            done = run([*drop, str(script(Path(directory), name))], env={"PATH": "/usr/bin:/bin"})
            if name in USERS:
                assert (done.returncode, "needs root" in done.stderr) == (3, True)
            else:
                assert outcomes(done.stdout) == {trial.case: trial.told for trial in BY_NAME[name].trials}, done


def test_a_script_that_is_interrupted_leaves_nothing(workshop: Path, tmp_path: Path) -> None:
    with Terminal("env", f"TMPDIR={tmp_path}", script(workshop, "term")) as terminal:
        terminal.wait_for("SigCgt")
        terminal.type("\x03")
        assert terminal.finish() == 130
    assert left_of(tmp_path) == []


def test_the_readme_of_the_workshop_has_all_questions_and_answers(workshop: Path) -> None:
    text = (workshop / "README.md").read_text()
    for number, experiment in enumerate(EXPERIMENTS, 1):
        assert f"## {number}. {experiment.title}" in text
        assert f"`sh {number:02}-{experiment.name}.sh`" in text
        assert all(f"- {trial.case}: {trial.told}." in text for trial in experiment.trials)


def test_the_programs_that_mount_refuse_to_outside_a_namespace(workshop: Path) -> None:
    done = run([str(workshop / "programs" / "world"), "true"])
    assert done.returncode == 1
    assert "only for PID 1" in done.stderr


def test_write_refuses_a_directory_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("work")
    done = lab("write", str(tmp_path))
    assert done.returncode == 2
    assert f"{str(tmp_path)!r} is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_write_says_what_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = lab("write", str(tmp_path / "file" / "below"))
    assert done.returncode == 1
    assert "Not a directory" in done.stderr


def test_write_that_fails_half_way_leaves_the_directory_empty(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the first ones fit."""
    (tmp_path / "workshop").mkdir()
    done = run(["prlimit", "--fsize=300000", *LAB, "write", str(tmp_path / "workshop")])
    assert (done.returncode, "File too large" in done.stderr, done.stderr.count("\n")) == (1, True, 1)
    assert list((tmp_path / "workshop").iterdir()) == []
