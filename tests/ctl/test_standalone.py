"""`pyinitctl build --standalone`: what is in the file, that it is reproducible, and that it needs nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyinit import __version__
from pyinit.ctl import check, standalone, zipapp
from tests.conftest import INTERPRETERS, short
from tests.support import NAMESPACE, REPOSITORY, Pyinit, ctl, require_namespaces, wait_until, waits_for_signals
from tests.support import standalone as built
from tests.support.standalone import PYTHON
from tests.test_footprint import private_dirty, without_settings


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built.build(tmp_path_factory.mktemp("standalone") / "pyinit")


@pytest.fixture(scope="module")
def pyinit(file: Path) -> Pyinit:
    require_namespaces()
    return Pyinit(file, "")


def test_the_same_input_gives_the_same_bytes_and_no_path_of_the_build(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a-copy"
    shutil.copytree(REPOSITORY / "pyinit", copy / "pyinit", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "temporary").mkdir()
    again = tmp_path / "again"
    variables = {"PYTHONHASHSEED": "7", "TMPDIR": str(tmp_path / "temporary"), "LC_ALL": "C", "PYTHONPATH": ""}
    command = [sys.executable, "-m", "pyinit.ctl", "build", "--standalone", "-o", str(again), "--python", PYTHON]
    subprocess.run(command, cwd=copy, env={**os.environ, **variables}, check=True, stdin=subprocess.DEVNULL)
    data = again.read_bytes()
    assert data == file.read_bytes()
    for path in (REPOSITORY, tmp_path, Path.home(), "pyinit-build-"):
        assert os.fsencode(path) not in data


def test_it_is_one_static_executable_of_at_most_7_mb(file: Path) -> None:
    assert file.stat().st_size <= 7_000_000
    assert file.stat().st_mode & 0o777 == 0o755
    headers = subprocess.check_output(["readelf", "--wide", "--program-headers", "--sections", file], text=True)
    assert "INTERP" not in headers and "DYNAMIC" not in headers
    assert ".symtab" not in headers and ".debug" not in headers


@pytest.mark.parametrize("version", INTERPRETERS)
def test_every_interpreter_that_has_its_static_library_goes_in(version: str, tmp_path: Path) -> None:
    require_namespaces()
    made = ctl("build", "--standalone", "-o", tmp_path / "pyinit", "--python", short(INTERPRETERS[version]))
    if made.returncode:
        assert made.stderr.count("\n") == 1
        assert "lacks its static library" in made.stderr or "--standalone takes" in made.stderr
        return
    pyinit = Pyinit(tmp_path / "pyinit", "")
    assert pyinit.run("-V") == (0, f"pyinit {__version__}\n", "")
    options = ["-v", "-w", "--session", "--user", "nobody", "--drop-capabilities", "--events", "/dev/null"]
    assert pyinit.run(*options, "--", "sh", "-c", "(sleep 0.01 &); exit 7")[0] == 7
    assert pyinit.run("--", "ünknown", "\udcff")[0] == 127
    directory = tmp_path / "fixuid-configuration"
    directory.mkdir()
    (directory / "config.json").write_text('\ufeff{"user": "nobody-here", "group": "dev"}')
    in_etc = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /etc && cp -r "$0" /etc/fixuid && exec "$@"')
    for text, says in (("", ""), ('user = "nobody-here"\ngroup = "dev"', "config.toml: TOML needs Python 3.11")):
        if text:
            (directory / "config.json").unlink()
            (directory / "config.toml").write_text(text)
        status, _, errors = pyinit.named("fixuid").run("true", wrapper=(*in_etc, str(directory)))
        unknown = "pyinit: /etc/fixuid: the user 'nobody-here' does not exist\n"
        assert (status, errors.count("\n")) == (1, 1)
        assert errors == unknown or (says and says in errors), errors


def test_toml_is_read_where_the_interpreter_can(pyinit: Pyinit, tmp_path: Path) -> None:
    """Debian's has all of it built in."""
    (tmp_path / "fixuid").mkdir()
    for text, says in (
        ('user = "nobody-here"\ngroup = "dev"\npaths = ["/a", "/b"]', "the user 'nobody-here' does not exist"),
        ("user = 1979-05-27T07:32:00Z\ngroup = 'dev'", "'user' has to be a name, not datetime.datetime(1979"),
        ("user = 'dev'\nuser = 'node'", "Cannot overwrite a value (at "),
    ):
        (tmp_path / "fixuid/config.toml").write_text(text)
        mounted = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(tmp_path))
        status, _, errors = pyinit.named("fixuid").run("true", wrapper=mounted)
        assert (status, errors.count("\n")) == (1, 1), errors
        assert says in errors


def test_it_runs_where_there_is_nothing(file: Path, tmp_path: Path) -> None:
    """No interpreter, no C library, no /proc, no /dev, no account files."""
    require_namespaces()
    shutil.copy(file, tmp_path / "pyinit")
    tmp_path.chmod(0o755)
    command = [*NAMESPACE[:3], "chroot", str(tmp_path), "/pyinit"]
    for words, expected in ((["-V"], 0), (["--", "/pyinit", "-V"], 0), (["-u", "4242:4242", "/pyinit", "-V"], 0)):
        done = subprocess.run(
            [*command, *words],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode, done.stdout) == (expected, f"pyinit {__version__}\n"), done.stderr


def test_the_licenses_of_what_is_inside_are_shown(pyinit: Pyinit) -> None:
    status, output, _ = pyinit.run("--license")
    assert status == 0
    assert output.startswith((REPOSITORY / "LICENSE").read_text())
    for title in ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "GNU LESSER GENERAL PUBLIC LICENSE"):
        assert title in output


def opened(pyinit: Pyinit, trace: Path, *words: "str | Path", **options: object) -> "set[str]":
    """The paths that it opens, looks at or reads as a link, until the program is started."""
    wrapper = ("strace", "-o", str(trace), "-e", "trace=%file,clone,clone3,fork,vfork")
    pyinit.run(*words, namespace=False, wrapper=wrapper, **options)
    calls = trace.read_text().split("\n", 1)[1]  # but for the first, which starts it
    return set(
        re.findall(
            r'^\w+\((?:(?:AT_FDCWD|\d+), )?"([^"]+)"',
            re.split(r"^(?:clone3?|v?fork)\(", calls, flags=re.MULTILINE)[0],
            re.MULTILINE,
        )
    )


def test_no_file_is_opened_at_a_start_but_what_is_needed(pyinit: Pyinit, tmp_path: Path) -> None:
    """/proc/self/exe is the C library's, for $ORIGIN. With options, what they name."""
    always = {"/dev/tty", "/proc/self/environ", "/proc/self/task", "/proc/self/exe", str(pyinit.file)}
    hostile = {"PYTHONHOME": "/h", "PYTHONPATH": "/p", "TZ": ":/tz", "LC_ALL": "ja_JP.EUC-JP", "LOCPATH": "/l"}
    environment = {**os.environ, **hostile, "LD_PRELOAD": "/x.so", "PYTHONMALLOC": "debug"}
    assert opened(pyinit, tmp_path / "trace", "--", "true", env=environment) <= always
    secret = tmp_path / "secret"
    secret.write_text("value")
    words = ["-w", "--stop-timeout", "5", "--secret", f"X={secret}", "--", "true"]
    found = opened(pyinit, tmp_path / "trace", *words, env=environment)
    # Its path is opened component by component, each in the directory before.
    way = {"/", *secret.parts}
    assert "secret" in found
    assert found - always - way <= {"/proc/self/mountinfo", "/proc/self/fd"}


@pytest.mark.skipif(sys.version_info < (3, 10), reason="a fork comes before the exec, and its time counts")
def test_no_term_is_lost_from_one_and_a_half_milliseconds_on(pyinit: Pyinit) -> None:
    """Of its own time: others may have the processor. Whether the program is there by then or not, it gets TERM."""
    for step in range(100):
        with pyinit.start("--grace", "0", "--", "sleep", "60", namespace=False) as run:
            end = time.perf_counter() + 0.0015 + step * 0.000135
            while time.perf_counter() < end or ran(run.pid) < 0.0015:
                pass
            run.send(signal.SIGTERM)
            assert run.finish()[0] == 128 + signal.SIGTERM


def ran(pid: int) -> float:
    """For how many seconds a process had a processor (man 5 proc, schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def test_blocking_every_signal_is_the_first_call_that_is_not_the_c_librarys(pyinit: Pyinit, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pyinit.run("--", "true", namespace=False, wrapper=("strace", "-o", str(trace)))
    before = trace.read_text().partition("rt_sigprocmask(SIG_BLOCK, ~[RTMIN RT_1], [], 8)")[0]
    calls = {line.partition("(")[0] for line in before.splitlines()}
    start = {"execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink"}
    assert calls <= {*start, "readlinkat", "getrandom", "mprotect"}  # TLS, the stack's size, $ORIGIN, malloc's secret


def test_memory_is_no_more_than_the_bare_interpreters(pyinit: Pyinit) -> None:
    with pyinit.start("--", "sh", "-c", "echo ready; exec sleep 60", env=without_settings()) as run:
        run.wait_for("ready")
        wait_until(lambda: waits_for_signals(run.pid), "pyinit waits")
        assert private_dirty(run.pid) <= 2450


def test_without_memory_it_ends_with_one_line(file: Path) -> None:
    """It neither dies of a fault nor tries for ever, which the interpreter does where it cannot even raise an error."""
    begun = 0
    for limit in range(6_000_000, 9_500_000, 25_000):
        done = subprocess.run(
            ["prlimit", f"--as={limit}", file, "-v", "--umask", "022", "true"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        if not begun and (done.returncode == -signal.SIGSEGV or done.stderr.startswith(b"Fatal glibc error")):
            continue  # of the kernel and the C library, before main
        begun += 1
        assert done.returncode in (0, 1), done.stderr
        if done.returncode:
            *warnings, last = done.stderr.splitlines()
            assert re.match(rb"pyinit: .", last) and all(b"not PID 1" in line for line in warnings), done.stderr
    assert begun > 50


def test_what_is_missing_is_one_line_that_names_the_package(tmp_path: Path) -> None:
    require_namespaces()
    file = tmp_path / "pyinit"
    done = ctl("build", "--standalone", "-o", file, "--python", PYTHON, CC="no-such-compiler")
    problem = "'no-such-compiler' cannot be run: No such file or directory"
    line = f"Error: --standalone needs a C compiler, and {problem} ({standalone.COMPILER_NEEDED})\n"
    assert (done.returncode, done.stderr) == (1, line)
    library = standalone.interpreter(PYTHON).library
    hide = 'for file; do [ -e "$file" ] && mount --bind /dev/null "$file"; done; exec "$PYTHON" -m pyinit.ctl $WORDS'
    paths = [library, Path("/usr/lib/x86_64-linux-gnu", library.name)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, "sh", *map(str, paths)],
        env={**os.environ, "PYTHON": sys.executable, "WORDS": f"build --standalone -o {file} --python {PYTHON}"},
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: --python: {PYTHON!r} lacks its static library, {library.name} ({standalone.LIBRARY_NEEDED})\n",
    )
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("'", 'Error: CC: "\'" is no command line: No closing quotation\n'),
        ("true", "Error: --standalone: 'true' failed: it made no file ("),
        ("sh -c 'printf \"error: \\377\" >&2; exit 1'", "Error: --standalone: 'sh' failed: error: \ufffd ("),
    ],
)
def test_a_compiler_that_is_none_is_one_line(tmp_path: Path, words: str, says: str) -> None:
    built.build(tmp_path / "where-it-can-be-built")
    done = ctl("build", "--standalone", "-o", tmp_path / "pyinit", "--python", PYTHON, CC=words)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(says)


def test_without_a_word_in_it_cc_says_nothing(file: Path, tmp_path: Path) -> None:
    done = ctl("build", "--standalone", "-o", tmp_path / "pyinit", "--python", PYTHON, CC=" ")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "pyinit").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("python", "says"),
    [
        ("/bin/cat", "cannot be asked for its parts: it is no Python from 3.9 on"),
        ("/nonexistent", "cannot be asked for its parts: No such file or directory"),
    ],
)
def test_a_python_that_is_none_is_one_line(tmp_path: Path, python: str, says: str) -> None:
    done = ctl("build", "--standalone", "-o", tmp_path / "pyinit", "--python", python)
    assert (done.returncode, done.stderr) == (1, f"Error: --python: {python!r} {says}\n")


def test_standalone_has_no_sources(tmp_path: Path) -> None:
    done = ctl("build", "--standalone", "--source-only", "-o", tmp_path / "pyinit")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_check_says_what_an_intact_file_is(file: Path) -> None:
    done = ctl("build", "--check", file)
    release = standalone.interpreter(PYTHON).release
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{file}: intact, {file.stat().st_size} bytes, standalone",
        f"version:     {__version__}",
        f"interpreter: Python {release}, in the file, for {standalone.interpreter(PYTHON).machine}",
        "sources:     this pyinitctl's",
        "             is what they make",
    ]
    told = json.loads(ctl("build", "--check", file, "--json").stdout)
    assert (told["version"], told["release"], told["same_sources"]) == (__version__, release, True)


def test_check_finds_what_was_changed(file: Path) -> None:
    data = file.read_bytes()
    for at in range(4, len(data), len(data) // 50):
        with pytest.raises(check.Damaged, match="not those that were built"):
            check.examine_standalone(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(check.Damaged, match="is not what its sources make"):
        check.examine_standalone(built.forged(data, b"killed", b"spared"))
    for content in (b"\x7fELF", Path("/bin/true").read_bytes(), built.forged(data, b'"version"', b'"Version"')):
        with pytest.raises(check.Damaged):
            check.examine_standalone(content)


def test_check_says_why_nothing_was_compared(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    other = tmp_path / "other"
    release = standalone.interpreter(PYTHON).release
    mine = standalone.digest_of(zipapp.sources())
    for old, new, says in (
        (mine, "0" * len(mine), "other sources"),
        (f'"python": "{release}"', '"python": "99.99.99"', "no Python 99.99.99 here"),
    ):
        other.write_bytes(built.forged(data, old.encode(), new.encode()))
        done = ctl("build", "--check", other)
        assert (done.returncode, done.stderr) == (3, "")
        assert f"not compared: {says}" in done.stdout


def test_a_full_temporary_directory_is_one_line(file: Path, tmp_path: Path) -> None:
    assert file.exists()  # what it is built of is here
    (tmp_path / "small").mkdir()
    script = f'mount -t tmpfs -o size=64k none {tmp_path}/small && TMPDIR={tmp_path}/small exec "$@"'
    build = (sys.executable, "-m", "pyinit.ctl", "build", "--standalone", "-o", str(tmp_path / "x"), "--python", PYTHON)
    command = ["unshare", "--mount", "sh", "-c", script, "sh", *build]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr == f"Error: --standalone: cannot write below '{tmp_path}/small': No space left on device\n"
    assert not (tmp_path / "x").exists()


def test_check_runs_no_program_that_the_file_names(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a path that leads out of a directory with a name like an interpreter's."""
    (tmp_path / "python3").mkdir()
    (tmp_path / "evil").write_text("#!/bin/sh\ntouch ran\n")
    (tmp_path / "evil").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    release = f'"python": "{standalone.interpreter(PYTHON).release}"'
    with pytest.raises(check.Damaged, match="is no release of Python"):
        check.examine_standalone(built.forged(file.read_bytes(), release.encode(), b'"python": "3/../evil.1"'))
    assert not (tmp_path / "ran").exists()
