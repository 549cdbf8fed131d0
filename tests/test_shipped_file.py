"""The zipapp: what is in it, that it is reproducible, and that it starts wherever it is put."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pyinit import __version__
from pyinit.ctl import check, zipapp
from tests.conftest import INTERPRETERS, short
from tests.support import NAMESPACE, REPOSITORY, Pyinit, children, wait_until

BUILD = [sys.executable, "-m", "pyinit.ctl", "build"]


def make(output: Path, *options: str, cwd: Path = REPOSITORY, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*BUILD, "-o", str(output), *options],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": "", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    shutil.copytree(REPOSITORY / "pyinit", copy / "pyinit", ignore=shutil.ignore_patterns("__pycache__"))
    for number, (cwd, seed) in enumerate([(REPOSITORY, "1"), (REPOSITORY, "2"), (copy, "3")]):
        done = make(tmp_path / str(number), "--python", "/usr/bin/python3", cwd=cwd, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
    first, second, third = ((tmp_path / str(number)).read_bytes() for number in range(3))
    assert first == second == third


def test_source_date_epoch_is_the_time_of_the_members(tmp_path: Path) -> None:
    make(tmp_path / "file", "--python", "/usr/bin/python3", SOURCE_DATE_EPOCH="1700000000")
    with zipfile.ZipFile(tmp_path / "file") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


@pytest.mark.parametrize(("text", "year"), [("0", 1980), ("99999999999", 2107)])
def test_a_source_date_that_zip_does_not_know_becomes_the_nearest(tmp_path: Path, text: str, year: int) -> None:
    assert make(tmp_path / "file", "--python", "/usr/bin/python3", SOURCE_DATE_EPOCH=text).returncode == 0
    with zipfile.ZipFile(tmp_path / "file") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {year}


def test_a_source_date_that_is_no_number_is_one_clear_line(tmp_path: Path) -> None:
    done = make(tmp_path / "file", "--python", "/usr/bin/python3", SOURCE_DATE_EPOCH="yesterday")
    assert done.returncode == 1
    assert done.stderr == "Error: SOURCE_DATE_EPOCH: 'yesterday' is no number of seconds since 1970\n"
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_small_and_holds_the_init_alone(every_pyinit: Pyinit) -> None:
    assert every_pyinit.file.stat().st_size <= 65536
    assert every_pyinit.file.stat().st_mode & 0o777 == 0o755
    assert len(every_pyinit.file.read_bytes().split(b"\n", 1)[0]) < 127
    with zipfile.ZipFile(every_pyinit.file) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert names == ["__main__.py", "loader.py", "sources"]
    assert not any("ctl" in str(path.relative_to(REPOSITORY)) for path in zipapp.module_files())


def test_every_module_that_is_named_is_there() -> None:
    modules = {
        str(path.relative_to(REPOSITORY))[:-3].replace("/", ".").replace(".__init__", "")
        for path in zipapp.module_files()
    }
    assert {*zipapp.EAGER, *zipapp.KEPT, *zipapp.PACKED} <= modules


@pytest.mark.parametrize("built_for", INTERPRETERS)
def test_it_runs_under_every_interpreter_with_any_byte_code(build: "Callable[[str], Pyinit]", built_for: str) -> None:
    file = str(build(short(INTERPRETERS[built_for])).file)
    for version, python in INTERPRETERS.items():
        # What the kernel makes of a first line that names this interpreter.
        start = [*NAMESPACE, python, zipapp.OPTIONS + zipapp.LINE_1, file]
        for options, expected in (([], 7), (["-v", "-e", "7"], 0)):
            command = [*start, *options, "--", "sh", "-c", "exit 7"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (expected, ""), version
        done = subprocess.run([*start, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f"pyinit {__version__}\n"), version


def test_source_only_works_and_is_smaller(tmp_path: Path, pyinit: Pyinit) -> None:
    assert make(tmp_path / "pyinit", "--python", pyinit.python, "--source-only").returncode == 0
    source_only = Pyinit(tmp_path / "pyinit", pyinit.python)
    assert source_only.run("-v", "--", "sh", "-c", "exit 7")[0] == 7
    assert source_only.file.stat().st_size < pyinit.file.stat().st_size


def look_at(*arguments: "str | Path") -> "subprocess.CompletedProcess[str]":
    command = [*BUILD, *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_check_says_what_an_intact_file_is(every_pyinit: Pyinit) -> None:
    done = look_at("--check", every_pyinit.file)
    command = [every_pyinit.python, "-ISc", "import sys; print('%d.%d' % sys.version_info[:2])"]
    release = subprocess.check_output(command, text=True).strip()
    size = every_pyinit.file.stat().st_size
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{every_pyinit.file}: intact, {size} bytes",
        f"version:     {__version__}",
        f"interpreter: {every_pyinit.python}",
        f"byte code:   for Python {release}; others from 3.9 on run the source",
    ]
    told = json.loads(look_at("--check", every_pyinit.file, "--json").stdout)
    assert (told["intact"], told["version"], told["byte_code"]["release"]) == (True, __version__, release)
    assert {"pyinit", "pyinit.__main__", "pyinit.drain"} <= set(told["modules"])


def test_check_says_when_there_is_no_byte_code(tmp_path: Path) -> None:
    file = tmp_path / "pyinit"
    make(file, "--python", "/usr/bin/env python3", "--source-only")
    done = look_at("--check", file)
    assert "interpreter: /usr/bin/env python3" in done.stdout.splitlines()
    assert "byte code:   none; 3.9 and newer run the source" in done.stdout.splitlines()
    assert json.loads(look_at("--check", file, "--json").stdout)["byte_code"] is None


def test_check_finds_every_changed_byte(pyinit: Pyinit) -> None:
    """A prime number apart, so that all parts of the file have their turn; and each byte of the two lines."""
    data = pyinit.file.read_bytes()
    check.examine(data)
    for at in (*range(400), *range(400, len(data), 97), len(data) - 1):
        for bit in (1, 0x40):
            with pytest.raises(check.Damaged):
                check.examine(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda data: data[:-1], "the bytes are not those that were built"),
        (lambda data: data + b"\n", "the bytes are not those that were built"),
        (lambda data: data.replace(b"#!/", b"#!/x/", 1), "the bytes are not those that were built"),
        (lambda data: b"#!/bin/sh\n" + data, "the first line is not pyinit's"),
        (lambda data: data[:0], "the first line is not pyinit's"),
        (lambda data: data.replace(b"import loader", b"import other!", 1), "the second line is not pyinit's"),
    ],
    ids=["cut", "longer", "other-interpreter", "another-first-line", "empty", "another-second-line"],
)
def test_check_says_in_one_line_what_is_damaged(
    pyinit: Pyinit, tmp_path: Path, damage: "Callable[[bytes], bytes]", problem: str
) -> None:
    file = tmp_path / "damaged"
    file.write_bytes(damage(pyinit.file.read_bytes()))
    done = look_at("--check", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {file}: ")
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1
    told = json.loads(look_at("--check", file, "--json").stdout)
    assert (told["intact"], problem in told["problem"]) == (False, True)


def test_check_of_nothing_to_read_is_status_2(tmp_path: Path) -> None:
    for file, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        done = look_at("--check", file)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"Error: --check: cannot read {str(file)!r}: {reason}\n"
    done = look_at("--check", tmp_path, "--source-only")
    assert (done.returncode, done.stderr) == (2, "Error: --check builds nothing, so leave out --source-only\n")


def test_the_env_form_finds_the_interpreter_in_path(tmp_path: Path) -> None:
    assert make(tmp_path / "pyinit", "--python", "/usr/bin/env python3").returncode == 0
    assert Pyinit(tmp_path / "pyinit", "").run("--", "sh", "-c", "exit 7") == (7, "", "")


@pytest.mark.parametrize("python", ["python3", "/usr/bin/python3 -X dev", "/" + "x" * 100, "/bin/false"])
def test_an_unsuitable_interpreter_is_one_clear_line(tmp_path: Path, python: str) -> None:
    done = make(tmp_path / "file", "--python", python)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: --python: {python!r}")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    done = make(tmp_path / "none" / "file", "--python", "/usr/bin/python3")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --output: cannot write ")


@pytest.mark.parametrize("place", ["with a space", "ünïcode", "quote'\"$x"])
def test_it_starts_from_any_path(pyinit: Pyinit, tmp_path: Path, place: str) -> None:
    file = tmp_path / place / "pyinit"
    file.parent.mkdir()
    shutil.copy(pyinit.file, file)
    assert Pyinit(file, pyinit.python).run("--", "sh", "-c", "exit 7") == (7, "", "")


def test_it_starts_through_a_symbolic_link_and_through_path(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "pyinit-link").symlink_to(pyinit.file)
    assert Pyinit(tmp_path / "pyinit-link", pyinit.python).run("--", "sh", "-c", "exit 7") == (7, "", "")
    command = ["env", f"PATH={tmp_path}:{os.environ['PATH']}", "pyinit-link", "--", "sh", "-c", "exit 7"]
    assert subprocess.run([*NAMESPACE, *command], stdin=subprocess.DEVNULL).returncode == 7


def test_it_starts_from_a_read_only_directory(pyinit: Pyinit, tmp_path: Path) -> None:
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && ! touch "$1/x" 2>&- && exec "$1/pyinit" false'
    shutil.copy(pyinit.file, tmp_path / "pyinit")
    command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")


def traps(directory: Path, marker: Path) -> None:
    """Modules that leave a mark when they are imported."""
    for name in ("posix", "_signal", "marshal", "sitecustomize", "usercustomize", "errno", "time", "zlib", "message"):
        (directory / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    for name in ("encodings", "pyinit"):
        (directory / name).mkdir()
        (directory / name / "__init__.py").write_text(f"open({str(marker)!r}, 'w')\n")


def test_a_hostile_environment_changes_nothing(every_pyinit: Pyinit, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "traps").mkdir()
    traps(tmp_path / "traps", marker)
    hostile = {
        "PYTHONPATH": str(tmp_path / "traps"),
        "PYTHONHOME": "/nonexistent",
        "PYTHONSTARTUP": str(tmp_path / "traps" / "posix.py"),
        "PYTHONINSPECT": "1",
        "PYTHONVERBOSE": "1",
        "PYTHONIOENCODING": "nonsense",
        "PYTHONWARNINGS": "error",
    }
    assert every_pyinit.run("-v", "--", "sh", "-c", "exit 7", env={**os.environ, **hostile})[::2] == (7, "")
    assert not marker.exists()


def test_a_hostile_working_directory_changes_nothing(every_pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "traps").mkdir()
    traps(tmp_path / "traps", tmp_path / "marker")
    assert every_pyinit.run("-v", "--", "sh", "-c", "exit 7", cwd=tmp_path / "traps")[::2] == (7, "")
    assert not (tmp_path / "marker").exists()


def test_python3_file_works_too(every_pyinit: Pyinit) -> None:
    command = [*NAMESPACE, every_pyinit.python, str(every_pyinit.file), "--", "sh", "-c", 'exit "$1"', "sh", "7"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize(
    "locale", [{}, {"LC_ALL": "C"}, {"LANG": "C.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C"}]
)
def test_arguments_and_environment_reach_the_program_byte_for_byte(
    every_pyinit: Pyinit, locale: "dict[str, str]"
) -> None:
    environment = {b"PATH": os.environb[b"PATH"], b"ODD": b"\xff\n=\xc3\xa9 ", b"EMPTY": b""}
    environment.update({os.fsencode(name): os.fsencode(value) for name, value in locale.items()})
    arguments = [b"a b", b"", b"\xff\xfe", b"new\nline", "é".encode(), b"--", b"-x", b"*"]
    script = b"cat /proc/$$/environ; echo; echo --; cat /proc/$$/cmdline; :"
    command = [b"sh", b"-c", script, b"sh", *arguments]
    file = os.fsencode(every_pyinit.file)
    prefix = [os.fsencode(word) for word in NAMESPACE]
    done = subprocess.run(
        [*prefix, file, b"--", *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found, _, line = done.stdout.partition(b"\n--\n")
    assert sorted(found.rstrip(b"\0").split(b"\0")) == sorted(b"=".join(item) for item in environment.items())
    assert line == b"\0".join(command) + b"\0"


def test_it_goes_on_when_its_file_is_deleted(every_pyinit: Pyinit, tmp_path: Path) -> None:
    """Everything that may be needed once the program runs is in memory: log, journal, forwarding, reaping."""
    file = tmp_path / "pyinit"
    shutil.copy(every_pyinit.file, file)
    script = "trap 'echo got' USR1; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    copy = Pyinit(file, every_pyinit.python)
    with copy.start("-c", "-w", "--events", tmp_path / "journal", "--", "sh", "-c", script) as run:
        run.wait_for("ready")
        file.unlink()
        run.send(signal.SIGUSR1)
        run.wait_for("got")
        (program,) = children(run.pid)[:1]
        subprocess.run(["nsenter", "-t", str(run.pid), "-p", "-m", "sh", "-c", "(sleep 0.1 &)"], check=True)
        wait_until(lambda: '"orphan": true' in (tmp_path / "journal").read_text(), "an orphan is reaped")
        wait_until(lambda: children(run.pid) == [program], "the program is the only child")
        run.send(signal.SIGTERM)
        status, _, errors = run.finish()
    assert status == 7
    assert "reaped orphan" in errors


def test_the_program_gets_the_descriptors_that_pyinit_got(every_pyinit: Pyinit, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        script = "ls /proc/$$/fd; :"
        status, output, _ = every_pyinit.run(
            "--events", tmp_path / "journal", "--", "sh", "-c", script, pass_fds=(writer,)
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert status == 0
    assert sorted(map(int, output.split())) == sorted({0, 1, 2, writer})


def test_closed_standard_streams_are_not_replaced(every_pyinit: Pyinit, tmp_path: Path) -> None:
    result, journal = tmp_path / "result", tmp_path / "journal"
    script = (
        "import os, sys\n"
        "def is_open(fd):\n"
        "    try:\n"
        "        return bool(os.fstat(fd))\n"
        "    except OSError:\n"
        "        return False\n"
        "found = [fd for fd in range(3) if is_open(fd)]\n"
        "open(sys.argv[1], 'w').write(repr(found))\n"
        "sys.exit(7)\n"
    )
    wrapper = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    command = [sys.executable, "-IS", "-c", script, str(result)]
    assert every_pyinit.run("-vvv", "--events", journal, "--", *command, wrapper=wrapper)[0] == 7
    assert result.read_text() == "[]"
    assert all(line.startswith('{"event"') for line in journal.read_text().splitlines())


def test_umask_and_working_directory_are_the_programs(pyinit: Pyinit, tmp_path: Path) -> None:
    wrapper = ("sh", "-c", 'umask 027; exec "$@"', "sh")
    assert pyinit.run("--", "sh", "-c", "umask; pwd", wrapper=wrapper, cwd=tmp_path)[1] == f"0027\n{tmp_path}\n"
