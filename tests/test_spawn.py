"""Starting the program, and what is said when that fails."""

import os
import resource
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support import Pyinit


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def test_f20_a_missing_program_gives_127(every_pyinit: Pyinit) -> None:
    status, output, errors = every_pyinit.run("--", "no-such-program", "an argument", "b\nc")
    assert (status, output) == (127, "")
    assert errors == "pyinit: cannot run ['no-such-program', 'an argument', 'b\\nc']: 'no-such-program' not found\n"


@pytest.mark.parametrize("path", ["/no/such/file", "/etc/passwd/program", "./missing"])
def test_f20_a_missing_path_gives_127(pyinit: Pyinit, path: str) -> None:
    status, _, errors = pyinit.run("--", path)
    assert status == 127
    assert f"['{path}']" in errors


@pytest.mark.parametrize("path", ["/etc", "/etc/passwd"])
def test_f20_what_is_no_program_gives_126(every_pyinit: Pyinit, path: str) -> None:
    status, _, errors = every_pyinit.run("--", path, "x")
    assert status == 126
    assert errors == f"pyinit: cannot run ['{path}', 'x']: Permission denied\n"


def test_f20_a_bad_interpreter_line_gives_126(pyinit: Pyinit, tmp_path: Path) -> None:
    script = executable(tmp_path / "script", "#!/no/such/interpreter\n")
    status, _, errors = pyinit.run("--", script)
    assert status == 126
    assert "interpreter" in errors


def test_f20_a_broken_binary_gives_126(pyinit: Pyinit, tmp_path: Path) -> None:
    binary = executable(tmp_path / "binary", "")
    binary.write_bytes(Path("/bin/true").read_bytes()[:100])
    assert pyinit.run("--", binary) == (126, "", f"pyinit: cannot run ['{binary}']: Exec format error\n")


def test_a_script_without_a_first_line_is_run_by_the_shell(pyinit: Pyinit, tmp_path: Path) -> None:
    script = executable(tmp_path / "script", 'echo "$0" "$1"; exit 9\n')
    assert pyinit.run("--", script, "a b")[:2] == (9, f"{script} a b\n")


def test_path_is_searched_and_an_unusable_file_does_not_end_the_search(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "tool").write_text("not executable")
    (tmp_path / "second").mkdir()
    executable(tmp_path / "second" / "tool", "#!/bin/sh\necho second\n")
    search = f"{tmp_path}/none:{tmp_path}/first:{tmp_path}/second:{os.environ['PATH']}"
    assert pyinit.run("--", "tool", wrapper=("env", f"PATH={search}")) == (0, "second\n", "")
    status, _, _ = pyinit.run("--", "tool", wrapper=("env", f"PATH={tmp_path}/first"))
    assert status == 126


def test_without_path_the_default_one_is_searched(pyinit: Pyinit) -> None:
    assert pyinit.run("--", "echo", "found", wrapper=("env", "-i")) == (0, "found\n", "")


def test_an_empty_entry_of_path_is_the_working_directory(pyinit: Pyinit, tmp_path: Path) -> None:
    executable(tmp_path / "tool", "#!/bin/sh\necho here\n")
    search = f":{os.environ['PATH']}"
    assert pyinit.run("--", "tool", env={"PATH": search}, cwd=tmp_path) == (0, "here\n", "")


def as_a_user_without_processes() -> None:
    os.setgroups([])
    os.setgid(54322)
    os.setuid(54322)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))


@pytest.mark.parametrize("options", [[], ["-v"]])
def test_a_fork_that_fails_is_said_and_gives_1(pyinit: Pyinit, options: "list[str]") -> None:
    """One process is all that this user may have, and that is pyinit."""
    for directory in (pyinit.file.parent, *pyinit.file.parent.parents):
        directory.chmod(directory.stat().st_mode | 0o055)
    command = ["/usr/bin/python3", str(pyinit.file), "-q", *options, "--", "true"]
    done = subprocess.run(
        command, preexec_fn=as_a_user_without_processes, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "pyinit: cannot start a process for ['true']: Resource temporarily unavailable"
    )


def test_the_program_leads_a_process_group_of_its_own(every_pyinit: Pyinit) -> None:
    status, output, _ = every_pyinit.run("--", "sh", "-c", "echo $$; cut -d' ' -f5,6 /proc/self/stat")
    pid, group_and_session = output.splitlines()
    assert status == 0
    assert group_and_session.split()[0] == pid
    assert group_and_session.split()[1] != pid


@pytest.mark.parametrize(("words", "variable"), [((), b"="), (("--exec",), b"=x")])
def test_what_execve_does_not_take_is_one_line(pyinit: Pyinit, words: "tuple[str, ...]", variable: bytes) -> None:
    script = (
        "import ctypes, sys; words = [w.encode() for w in sys.argv[1:]]; "
        f"ctypes.CDLL(None).execve(words[0], (ctypes.c_char_p * {len(words) + 4})(*words), "
        f"(ctypes.c_char_p * 2)({variable!r}))"
    )
    wrapper = ("/usr/bin/python3", "-ISc", script)
    status, output, errors = pyinit.run(*words, "--", "/bin/true", wrapper=wrapper)
    assert (status, output) == (1, "")
    assert errors.startswith("pyinit: cannot start ['/bin/true']: ")
    assert errors.count("\n") == 1
