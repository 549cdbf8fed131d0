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


@pytest.mark.parametrize("options", [(), ("--exec",), ("--session",)])
def test_f72_a_script_that_comes_first_is_run_and_not_passed_over(
    pyinit: Pyinit, tmp_path: Path, options: "tuple[str, ...]"
) -> None:
    for name, text in (("first", "echo script $1\n"), ("second", "#!/bin/sh\necho second\n")):
        (tmp_path / name).mkdir()
        executable(tmp_path / name / "tool", text)
    environment = {"PATH": f"{tmp_path}/first:{tmp_path}/second:{os.environ['PATH']}"}
    assert pyinit.run(*options, "--", "tool", "x", env=environment) == (0, "script x\n", "")


LONG = "d/" * 2100


@pytest.mark.parametrize("options", [(), ("--exec",)])
@pytest.mark.parametrize(
    ("earlier", "goes_on"),
    [("missing", True), ("file", True), (LONG, True), ("forbidden", True), ("loop", False), ("d" * 300, False)],
)
def test_f72_the_search_ends_where_that_of_execvp_does(
    pyinit: Pyinit, tmp_path: Path, options: "tuple[str, ...]", earlier: str, goes_on: bool
) -> None:
    """As the C library's own in the same place: env is a program that uses it."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("forbidden", "last"):
        (tmp_path / name).mkdir()
        executable(tmp_path / name / "tool", "#!/bin/sh\necho found\n")
    (tmp_path / "forbidden" / "tool").chmod(0o600)
    environment = {"PATH": f"{tmp_path}/{earlier}:{tmp_path}/last:/usr/bin:/bin"}
    by_env = subprocess.run(["/usr/bin/env", "tool"], env=environment, capture_output=True, text=True)
    assert by_env.stdout == ("found\n" if goes_on else "")
    status, output, errors = pyinit.run(*options, "--", "tool", env=environment)
    assert (status, output) == ((0, "found\n") if goes_on else (126, ""))
    assert goes_on or errors in (
        "pyinit: cannot run ['tool']: Too many levels of symbolic links\n",
        "pyinit: cannot run ['tool']: File name too long\n",
        "pyinit: cannot run ['tool']: Symbolic link loop\n",  # musl's words
        "pyinit: cannot run ['tool']: Filename too long\n",
    )


def test_f72_what_may_not_be_executed_is_remembered_when_nothing_else_is_found(pyinit: Pyinit, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("x")
    wrapper = ("env", f"PATH={tmp_path}:/no/such/directory")
    assert pyinit.run("--", "tool", wrapper=wrapper) == (126, "", "pyinit: cannot run ['tool']: Permission denied\n")


@pytest.mark.parametrize("options", [(), ("--exec",), ("-u", "0"), ("--session",)])
def test_f72_a_path_from_a_secret_is_where_the_program_is_searched(
    pyinit: Pyinit, tmp_path: Path, options: "tuple[str, ...]"
) -> None:
    (tmp_path / "path").write_text(f"{tmp_path}/bin:{os.environ['PATH']}\n")
    (tmp_path / "bin").mkdir()
    executable(tmp_path / "bin" / "true", "#!/bin/sh\necho ours\n")
    command = (*options, "--secret", f"PATH={tmp_path}/path", "--", "true")
    assert pyinit.run(*command, env={"PATH": os.environ["PATH"]}) == (0, "ours\n", "")


def test_f72_without_a_shell_a_script_is_126_with_the_reason(pyinit: Pyinit, tmp_path: Path) -> None:
    script = executable(tmp_path / "script", "echo never\n")
    hide = f"mount -t tmpfs none /tmp && : >/tmp/sh && mount --bind /tmp/sh {os.path.realpath('/bin/sh')}"
    hide = hide.replace("/tmp", str(tmp_path / "hidden"))
    (tmp_path / "hidden").mkdir()
    wrapper = ("unshare", "--mount", "sh", "-c", f'{hide} && exec "$@"', "sh")
    status, output, errors = pyinit.run("--", script, wrapper=wrapper)
    assert (status, output) == (126, "")
    assert errors == (
        f"pyinit: cannot run ['{script}']: it has no first line that names its interpreter, "
        "and /bin/sh: Permission denied\n"
    )


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
    command = [*pyinit.started_by("/usr/bin/python3"), "-q", *options, "--", "true"]
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


PIDS = ("LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID", "GIO_LAUNCHED_DESKTOP_FILE_PID")
SHOW_PIDS = ["sh", "-c", "echo $$ " + " ".join([f"${{{name}-none}}" for name in (*PIDS, "LISTEN_PIDFDID")])]


@pytest.mark.parametrize("options", [(), ("--session",), ("-u", "0"), ("--before", "true")])
def test_f83_what_names_the_init_by_its_pid_names_the_program(pyinit: Pyinit, options: "tuple[str, ...]") -> None:
    environment = {**os.environ, **dict.fromkeys(PIDS, "1"), "LISTEN_PIDFDID": "5"}
    status, output, errors = pyinit.run(*options, "--", *SHOW_PIDS, env=environment)
    pid, *named, pidfd = output.split()
    assert (status, set(named), pidfd, errors) == (0, {pid}, "none", "")
    assert pid != "1"


@pytest.mark.parametrize("value", ["2", "", "01", "x"])
def test_f83_what_names_somebody_else_stays(pyinit: Pyinit, value: str) -> None:
    environment = {**os.environ, "LISTEN_PID": value, "LISTEN_PIDFDID": "5", "WATCHDOG_PID": "1"}
    show = ["sh", "-c", 'echo "$LISTEN_PID $LISTEN_PIDFDID"']
    assert pyinit.run("--", *show, env=environment) == (0, f"{value} 5\n", "")


def test_f83_with_exec_it_names_what_we_become(pyinit: Pyinit) -> None:
    environment = {**os.environ, "LISTEN_PID": "1", "LISTEN_PIDFDID": "5"}
    show = ["sh", "-c", 'echo "$$ $LISTEN_PID $LISTEN_PIDFDID"']
    assert pyinit.run("--exec", "--", *show, env=environment) == (0, "1 1 5\n", "")


def test_f83_a_command_before_the_program_is_not_named(pyinit: Pyinit) -> None:
    environment = {**os.environ, "LISTEN_PID": "1"}
    hook = "sh -c 'echo $LISTEN_PID'"
    assert pyinit.run("--before", hook, "--", "true", env=environment) == (0, "1\n", "")
