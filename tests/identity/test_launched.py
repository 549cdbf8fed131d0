"""The set-user-ID start and fixuid by name: whoever starts it decides nothing, and root is given up for good."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyinit.ctl import zipapp
from tests.support import PROGRAMS, REPOSITORY, Pyinit, children, proc_status, wait_until
from tests.support.identity import GROUP, PASSWD, Etc
from tests.support.launcher import CONFIG, Installed, compile_launcher

# What the launcher is started by where it is not PID 1.
NOT_PID_1 = ("sh", "-c", '"$0" "$@"; exit $?')

TELL = ["sh", "-c", "id -u; id -g; whoami; echo $HOME"]
MATCHED = PASSWD.replace("node:x:1001", "node:x:1000").replace("dev:x:1000:1000", "dev:x:1001:1002")


@pytest.fixture(scope="session")
def launcher(shared_pyinit: Pyinit) -> Path:
    """The launcher and, beside it, fixuid: the same program under another name."""
    file = shared_pyinit.file.with_name("launcher")
    compile_launcher(file, str(shared_pyinit.file))
    file.with_name("fixuid").symlink_to(file)
    return file


@pytest.fixture
def installed(launcher: Path, etc: Etc, tmp_path: Path) -> Installed:
    """The launcher with homes of dev, 1000, and node, 1001."""
    for name, uid in (("dev", 1000), ("node", 1001)):
        directory = etc.home / name
        directory.mkdir()
        for path in (directory, directory / "file"):
            path.touch()
            os.chown(path, uid, uid)
    return Installed(launcher, etc, tmp_path / "run")


def owner(path: Path) -> "tuple[int, int]":
    status = path.lstat()
    return status.st_uid, status.st_gid


# The configuration, whose parser has its tests in options/test_fixuid_config.py.


def test_toml_without_tomllib_is_one_clear_line(every_pyinit: Pyinit, etc: Etc) -> None:
    (etc.path / "fixuid").mkdir()
    (etc.path / "fixuid" / "config.toml").write_text('user = "dev"\ngroup = "dev"\n')
    mounted = (*etc.mounted, "sh", "-c", 'mount -t tmpfs none /run && exec "$0" "$@"')
    status, output, errors = every_pyinit.named("fixuid").run("-q", "echo", "hello", wrapper=mounted)
    if (status, output) == (0, "hello\n"):
        assert errors == ""
    else:
        assert (status, errors.count("\n")) == (1, 1)
        assert "config.toml: TOML needs Python 3.11" in errors


@pytest.mark.parametrize("name", ["config.json", "config.toml", "config.yaml", "config.yml"])
def test_the_first_file_counts(installed: Installed, name: str) -> None:
    if name == "config.toml":
        pytest.importorskip("tomllib")
    for later in ("config.json", "config.toml", "config.yaml", "config.yml"):
        if later > name:
            (installed.config / later).write_text("user: no-such-user\ngroup: dev\n")
    (installed.config / name).write_text(
        {"config.json": '{"user": "dev", "group": "dev"}', "config.toml": 'user = "dev"\ngroup = "dev"'}.get(
            name, CONFIG
        )
    )
    assert installed.run("--", "whoami")[:2] == (0, "dev\n")


def spoil(installed: Installed, how: str) -> None:
    file = installed.config / "config.yml"
    if how == "another's file":
        os.chown(file, 1001, 0)
    elif how == "a file that a group can write to":
        file.chmod(0o664)
    elif how == "a file that everybody can write to":
        file.chmod(0o646)
    elif how == "another's directory":
        os.chown(installed.config, 1001, 0)
    elif how == "a directory that everybody can write to":
        installed.config.chmod(0o1777)
    elif how == "a symbolic link":
        file.rename(installed.etc.path / "elsewhere")
        file.symlink_to("/etc/elsewhere")
    elif how == "a directory behind a symbolic link":
        installed.config.rename(installed.etc.path / "elsewhere")
        installed.config.symlink_to("/etc/elsewhere")
    elif how == "a FIFO":
        file.unlink()
        os.mkfifo(file, 0o644)
    elif how == "a directory":
        file.unlink()
        file.mkdir()
    elif how == "too large":
        file.write_bytes(CONFIG.encode() + b"#" * 70000)
    elif how == "no file":
        file.unlink()
    elif how == "no directory":
        shutil.rmtree(installed.config)
    elif how == "root's account":
        installed.write("user: root\ngroup: dev\n")
    elif how == "root's group":
        installed.write("user: dev\ngroup: root\n")
    elif how == "no such user":
        installed.write("user: nobody-here\ngroup: dev\n")
    elif how == "no such group":
        installed.write("user: dev\ngroup: nobody-here\n")
    elif how == "a user with a colon":
        installed.write("user: dev:dev\ngroup: dev\n")


SPOILT = [
    *("another's file", "a file that a group can write to", "a file that everybody can write to"),
    *("another's directory", "a directory that everybody can write to", "a symbolic link", "a FIFO", "a directory"),
    *("a directory behind a symbolic link", "too large", "no file", "no directory", "root's account", "root's group"),
    *("no such user", "no such group", "a user with a colon"),
]


@pytest.mark.parametrize("how", SPOILT)
def test_a_configuration_that_is_no_good_is_one_line_and_changes_nothing(installed: Installed, how: str) -> None:
    spoil(installed, how)
    status, output, errors = installed.run("--", "echo", "ran")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("pyinit: /etc/fixuid")
    assert installed.etc.read("passwd") == PASSWD
    assert list(installed.run_directory.iterdir()) == []


# What it does.


def test_f23_the_user_gets_the_ids_that_the_engine_started_us_with(installed: Installed) -> None:
    status, output, errors = installed.run("--", *TELL)
    assert (status, output, errors) == (0, "1001\n1002\ndev\n/home/dev\n", "")
    assert installed.etc.read("passwd") == MATCHED
    assert installed.etc.read("group") == GROUP.replace("dev:x:1000", "dev:x:1002")
    assert owner(installed.etc.home / "dev" / "file") == (1001, 1002)
    assert owner(installed.etc.home / "node" / "file") == (1000, 1001)


def test_a_second_start_changes_nothing(installed: Installed) -> None:
    first = installed.run("--", *TELL)
    files = {path: path.lstat().st_ctime_ns for path in installed.etc.home.rglob("*")}
    passwd = (installed.etc.path / "passwd").stat().st_ino
    assert installed.run("--", *TELL) == first
    assert {path: path.lstat().st_ctime_ns for path in installed.etc.home.rglob("*")} == files
    assert (installed.etc.path / "passwd").stat().st_ino == passwd


def test_f29_f32_a_group_that_has_the_number_is_used_and_nothing_is_searched_again(installed: Installed) -> None:
    assert installed.run("--", *TELL, ids="1001:100") == (0, "1001\n100\ndev\n/home/dev\n", "")
    assert installed.etc.read("group") == GROUP
    assert owner(installed.etc.home / "dev" / "file") == (1001, 100)
    os.chown(installed.etc.home / "dev" / "file", 1001, 1000)  # what a search would find
    installed.run("--", *TELL, ids="1001:100")
    assert owner(installed.etc.home / "dev" / "file") == (1001, 1000)


def test_f36_a_start_that_was_killed_is_made_up_for(installed: Installed) -> None:
    """The mark was made and the files were re-owned, but the account was not changed yet."""
    (installed.run_directory / "pyinit.matched").write_text("1001:1002")
    os.chown(installed.etc.home / "dev" / "file", 1001, 1002)
    assert installed.run("--", *TELL)[1] == "1001\n1002\ndev\n/home/dev\n"
    assert owner(installed.etc.home / "dev") == (1001, 1002)


def test_nobody_else_in_the_container_is_given_the_account(installed: Installed) -> None:
    installed.run("--", "true")
    status, output, errors = installed.run("--", "sh", "-c", "id -u; id -g", ids="1005:1005", before=NOT_PID_1)
    assert (status, output, errors) == (0, "1005\n1005\n", "")
    assert installed.etc.read("passwd") == MATCHED
    assert owner(installed.etc.home / "dev" / "file") == (1001, 1002)


def test_f37_an_engine_that_starts_it_with_another_uid_is_obeyed(installed: Installed) -> None:
    """PID 1 was started by the engine: the container was committed, or its user changed."""
    installed.run("--", "true")
    assert installed.run("--", *TELL, ids="1005:1006")[1] == "1005\n1006\ndev\n/home/dev\n"
    assert owner(installed.etc.home / "dev" / "file") == (1005, 1006)


def test_fixuids_own_mark_counts_as_well(installed: Installed) -> None:
    (installed.run_directory / "fixuid.ran").touch()
    assert installed.run("-q", "id", "-u", name="fixuid")[:2] == (0, "1001\n")
    assert installed.etc.read("passwd") == PASSWD


def test_both_marks_are_made(installed: Installed) -> None:
    installed.run("--", "true")
    assert {path.name for path in installed.run_directory.iterdir()} == {"pyinit.matched", "fixuid.ran"}
    assert (installed.run_directory / "pyinit.matched").read_text() == "1001:1002"
    status = (installed.run_directory / "pyinit.matched").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (0, 0o600)  # who can read it could lock it


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_without_a_safe_place_for_the_mark_nothing_changes(installed: Installed, mode: int) -> None:
    installed.run_directory.chmod(mode)
    status, output, errors = installed.run("--", "sh", "-c", "id -u; echo $HOME")
    assert (status, output) == (0, "1001\n/home/node\n")  # the account that has the number
    assert "users and files stay as they are" in errors
    assert installed.etc.read("passwd") == PASSWD


def test_f118_a_fifo_in_the_marks_place_keeps_nobody_waiting(installed: Installed) -> None:
    os.mkfifo(installed.run_directory / "pyinit.matched", 0o600)
    status, output, errors = installed.run("--", "id", "-u")
    assert (status, output) == (0, "1001\n")
    assert "users and files stay as they are" in errors
    assert installed.etc.read("passwd") == PASSWD


def test_paths_are_re_owned_instead_of_the_home(installed: Installed, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 1000, 1000)
    installed.write(CONFIG + f"paths: [{tmp_path / 'one'}]\n")
    installed.run("--", "true")
    assert owner(tmp_path / "one") == (1001, 1002)
    assert owner(tmp_path / "two") == (1000, 1000)
    assert owner(installed.etc.home / "dev") == (1000, 1000)


def test_groups_are_the_engines_and_the_accounts_but_never_roots(installed: Installed) -> None:
    installed.etc.write("group", GROUP.replace("root:x:0:", "root:x:0:dev"))
    status, output, errors = installed.run("--", "id", "-G", groups="4243")
    assert (status, errors) == (0, "")
    assert set(output.split()) == {"1002", "4243", "27", "44"}


def test_groups_of_the_account_are_nobody_elses(installed: Installed) -> None:
    installed.run("--", "true")
    assert installed.run("--", "id", "-G", ids="1005:1005", before=NOT_PID_1)[1] == "1005\n"


def test_started_by_root_it_changes_nothing_and_runs_the_program(installed: Installed) -> None:
    assert installed.run("--", *TELL, ids="0:0") == (0, "0\n0\nroot\n/root\n", "")
    assert installed.etc.read("passwd") == PASSWD
    assert installed.run("--", *TELL)[1] == "1001\n1002\ndev\n/home/dev\n"


def test_roots_group_is_not_matched(installed: Installed) -> None:
    status, output, errors = installed.run("--", *TELL, ids="1001:0")
    assert (status, output) == (0, "1001\n0\ndev\n/home/dev\n")
    assert "root's GID, which is not matched" in errors
    assert installed.etc.read("group") == GROUP


def test_a_group_that_podman_made_leaves_its_number_to_the_users(installed: Installed) -> None:
    installed.etc.write("group", GROUP + "1002:x:1002:1001\n")
    assert installed.run("--", "id", "-gn")[1] == "dev\n"
    assert installed.etc.read("group") == GROUP.replace("dev:x:1000", "dev:x:1002") + "1002:x:1000:1001\n"


def test_an_entry_that_podman_made_does_not_take_the_working_directory(installed: Installed, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    os.chown(work, 4242, 4242)
    installed.etc.write("passwd", PASSWD + f"4242:*:4242:4242:container user:{work}:/bin/sh\n")
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(work)}
    assert installed.run("--", *TELL, ids="4242:4242", env=variables)[1] == "4242\n4242\ndev\n/home/dev\n"
    assert owner(work) == (4242, 4242)


def test_pyinit_stays_as_pid_1_and_is_the_user_too(installed: Installed) -> None:
    with installed.start("--", "sh", "-c", "echo $$; read line", stdin=-1) as run:
        assert run.wait_for(r"\d+\n")[0] != "1\n"
        wait_until(lambda: children(run.pid), "the program runs")
        status = proc_status(run.pid)
        assert (status["Uid"].split(), status["Gid"].split()) == (["1001"] * 4, ["1002"] * 4)
        assert {status[name] for name in ("CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


def test_there_is_no_way_back(installed: Installed) -> None:
    status, output, errors = installed.run("--", "/usr/bin/python3", str(PROGRAMS / "get_root_back.py"))
    assert (status, output, errors) == (0, "(1001, 1001, 1001) (1002, 1002, 1002) no capability\n", "")


KEEPS_CAPABILITIES = """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(28, 4) == 0  # PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP
os.setresgid(1002, 1002, 1002)
os.setresuid(1001, 1001, 1001)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_capabilities_go_with_root_also_where_the_callers_securebits_would_keep_them(installed: Installed) -> None:
    """Such as an engine's that gives a user CAP_SETPCAP (man 7 capabilities)."""
    before = (sys.executable, "-ISc", KEEPS_CAPABILITIES)
    for process in ("1", "self"):
        command = ("grep", "-E", "^Cap(Prm|Eff|Inh|Amb)|^Uid", f"/proc/{process}/status")
        status, output, errors = installed.run("--", *command, ids="0:0", before=before)
        assert (status, errors) == (0, "")
        names = ("CapInh", "CapPrm", "CapEff", "CapAmb")
        assert output == "Uid:\t1001\t1001\t1001\t1001\n" + "".join(f"{name}:\t{'0' * 16}\n" for name in names)


WITHOUT_PROC = """
import ctypes, os, subprocess
assert ctypes.CDLL(None).prctl(28, 4) == 0  # PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP
from pyinit.identity import launched
from pyinit.kernel import calls
status = open("/proc/self/status")
subprocess.run(["mount", "-t", "tmpfs", "none", "/proc"], check=True)
launched.give_up_root(1000, 1000)
print(*(line.split()[1] for line in status if line.startswith(("CapPrm", "CapEff"))))
"""


def test_capabilities_go_with_root_also_where_no_proc_tells_that_there_are_some() -> None:
    command = ["unshare", "--mount", sys.executable, "-c", WITHOUT_PROC]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{'0' * 16} {'0' * 16}\n", "")


def test_the_exit_status_is_the_programs(installed: Installed) -> None:
    assert installed.run("--", "sh", "-c", "exit 42")[0] == 42
    assert installed.run("--", "no-such-program")[0] == 127


# Without a program.


@pytest.mark.parametrize(
    "home", ["/home/dev", "/it's", '/say "hi"', "/a b", "/$(touch evil)`touch evil`", "/a;b&c|d", "/é*"]
)
def test_home_is_quoted_for_a_shell(installed: Installed, home: str) -> None:
    installed.etc.write("passwd", PASSWD.replace("/home/dev", home))
    script = f'eval "$({installed.launcher})"; printf %s "$HOME"'
    assert installed.run("-c", script, name="sh", before=("env", "sh", "-c", script))[1] == home


def test_eval_without_quotes_works_too(installed: Installed) -> None:
    script = f"eval $( {installed.launcher.with_name('fixuid')} -q ); whoami; echo $HOME"
    assert installed.run(before=("sh", "-c", script))[:2] == (0, "dev\n/home/dev\n")


def test_a_home_that_somebody_chose_stays(installed: Installed) -> None:
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/chosen"}
    assert installed.run(env=variables) == (0, "", "")
    assert installed.run("--", *TELL, env=variables)[1].endswith("\n/chosen\n")


# Whoever starts it is hostile.

HOSTILE = {
    "LD_PRELOAD": "/tmp/no-such-library.so",
    "LD_LIBRARY_PATH": "/tmp",
    "LD_AUDIT": "/tmp/no-such-library.so",
    "GLIBC_TUNABLES": "glibc.malloc.check=3",
    "PYTHONPATH": "/tmp/evil",
    "PYTHONHOME": "/tmp/evil",
    "PYTHONINSPECT": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONVERBOSE": "1",
    "PYTHONMALLOC": "debug",
    "PYTHONCOERCECLOCALE": "warn",
    "LC_ALL": "C",
    "LC_CTYPE": "C.UTF-8",
    "LOCPATH": "/tmp",
    "GCONV_PATH": "/tmp",
    "TZ": "/etc/shadow",
    "TMPDIR": "/tmp",
    "PYINIT_USER": "root",
    "PYINIT_EVENTS": "/etc/evil",
    "PYINIT_VERBOSE": "3",
    "PYINIT_LAUNCHED_AS": "fixuid",
    "TINI_SUBREAPER": "",
    "TINI_VERBOSITY": "nonsense",
    ".": "a dot",
    "..": "two",
    "HOME": "/",
}


# Those of them that glibc takes out, or empties, where it starts a set-user-ID program (man 8 ld.so).
OF_THE_LOADER = {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "TMPDIR"}


def test_variables_mislead_nobody_and_reach_the_program(installed: Installed) -> None:
    """But those that the loader obeys: the C library takes them out of any set-user-ID program's environment."""
    variables = {**HOSTILE, "PATH": "/tmp/evil:/usr/bin:/bin"}
    before = ("env", "-i", *(f"{name}={value}" for name, value in variables.items()))
    status, output, errors = installed.run("--", "env", "-0", before=before)
    assert (status, errors) == (0, "")
    found = dict(line.split("=", 1) for line in output.split("\0") if line)
    for each in (variables, found):
        for name in OF_THE_LOADER:
            each.pop(name, None)
    assert found == {**variables, "HOME": "/home/dev"}
    assert not (installed.etc.path / "evil").exists()


def test_no_variable_makes_a_start_a_launched_one(every_pyinit: Pyinit, etc: Etc) -> None:
    """It would say that root has started us for root, whatever the options say."""
    (etc.path / "fixuid").mkdir()
    (etc.path / "fixuid" / "config.yml").write_text(CONFIG)
    command = ("-u", "node", "--no-new-privileges", "--", "sh", "-c", "id -u; grep NoNewPrivs /proc/self/status")
    environment = {**os.environ, "PYINIT_LAUNCHED_AS": "fixuid"}
    status, output, _ = every_pyinit.run(*command, wrapper=etc.mounted, env=environment)
    assert (status, output) == (0, "1001\nNoNewPrivs:\t1\n")


def test_the_interpreter_finds_no_variable_of_the_caller(installed: Installed) -> None:
    before = ("env", "-i", *(f"{name}={value}" for name, value in {**HOSTILE, "PATH": "/bin"}.items()))
    with installed.start("--", "sh", "-c", "echo ready; read line", stdin=-1, before=before) as run:
        run.wait_for("ready")
        variables = Path(f"/proc/{run.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    path = b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert [each for each in variables if not each.startswith(b".")] == [
        path,
    ]


def test_an_interpreter_found_through_path_is_not_the_callers(
    launcher: Path, etc: Etc, tmp_path: Path, build_for_env: Path
) -> None:
    file = launcher.with_name("launcher-env")
    compile_launcher(file, str(build_for_env))
    evil = tmp_path / "python3"
    evil.write_text("#!/bin/sh\necho evil\n")
    evil.chmod(0o755)
    tmp_path.chmod(0o755)
    installed = Installed(file, etc, tmp_path / "run")
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert installed.run("--", "id", "-u", name="launcher-env", env=variables)[:2] == (0, "1001\n")


@pytest.fixture
def build_for_env(shared_pyinit: Pyinit) -> "Iterator[Path]":
    """pyinit with a first line that looks for the interpreter in PATH."""
    data = shared_pyinit.file.read_bytes()
    line, rest = data.split(b"\n", 1)
    boot = zipapp.OPTIONS.encode()
    assert line.startswith(b"#!/usr/bin/python3 " + boot)
    file = shared_pyinit.file.with_name("pyinit-env")
    file.write_bytes(b"#!/usr/bin/env -S python3 %s'%s'\n%s" % (boot, line.partition(boot)[2], rest))
    file.chmod(0o755)
    yield file
    file.unlink()


@pytest.mark.parametrize(
    "options",
    [
        ["--user", "root"],
        ["-u0"],
        ["--user=0:0", "--match", "0"],
        ["--events", "/etc/evil"],
        ["--own", "/etc"],
        ["--own-index=/etc/passwd"],
        ["--keep-capabilities", "sys_admin"],
        ["-vvv", "--strict", "--exec"],
    ],
)
def test_options_count_for_nothing(installed: Installed, options: "list[str]") -> None:
    assert installed.run(*options, "--", *TELL) == (0, "1001\n1002\ndev\n/home/dev\n", "")
    assert not (installed.etc.path / "evil").exists()
    assert owner(installed.etc.path / "passwd") == (0, 0)


@pytest.mark.parametrize("words", [["--no-such-option"], ["-u"], ["-\n"], ["--", ""], ["-"], ["\x1b[2J"]])
def test_hostile_words_are_one_line_or_a_program(installed: Installed, words: "list[str]") -> None:
    status, output, errors = installed.run(*words)
    assert status in (1, 2, 127)
    assert output == ""
    assert errors.count("\n") == 1 + ("usage: " in errors)
    assert "\x1b" not in errors


def test_a_name_that_is_empty_or_odd_is_no_more_than_a_name(installed: Installed) -> None:
    for name in ("/", "gosu", "tini", "a=b", "fixuid\n", "x" * 100000):
        script = f"import os; os.execv({str(installed.launcher)!r}, [{name!r}, '--', 'id', '-u'])"
        assert installed.run(before=("/usr/bin/python3", "-c", script))[:2] == (0, "1001\n")


def test_closed_standard_streams_do_not_become_account_files(installed: Installed) -> None:
    script = f"{installed.launcher.with_name('fixuid')} sh -c 'id -u >/home/dev/out' <&- >&- 2>&-"
    assert installed.run(before=("sh", "-c", script))[0] == 0
    assert (installed.etc.home / "dev" / "out").read_text() == "1001\n"
    assert installed.etc.read("passwd") == MATCHED


def test_a_limit_on_the_size_of_files_is_refused(installed: Installed) -> None:
    status, output, errors = installed.run("--", "true", before=("prlimit", "--fsize=100", "--"))
    assert (status, output) == (1, "")
    assert "ulimit -f" in errors
    assert installed.etc.read("passwd") == PASSWD


def test_umask_and_ignored_signals_change_nothing_and_reach_the_program(installed: Installed) -> None:
    script = 'umask 0; trap "" TERM CHLD PIPE XFSZ HUP; exec "$0" "$@"'
    tell = ("--", "sh", "-c", "umask; grep SigIgn /proc/self/status")
    status, output, errors = installed.run(*tell, before=("sh", "-c", script))
    assert (status, errors) == (0, "")
    mask, ignored = output.splitlines()
    assert mask == "0000"
    assert int(ignored.split()[1], 16) & 0x4001 == 0x4001  # TERM and HUP
    assert all(path.stat().st_mode & 0o022 == 0 for path in installed.run_directory.iterdir())
    assert (installed.etc.path / "passwd").stat().st_mode & 0o777 == 0o644


def test_messages_are_not_written_where_the_caller_may_only_read(installed: Installed, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o644)
    ours = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    theirs = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert installed.run("--no-such-option", stderr=theirs)[0] == 2
        with pytest.raises(BlockingIOError):
            os.read(ours, 1)
    finally:
        os.close(ours)
        os.close(theirs)


# Without root.


@pytest.mark.parametrize("name", ["launcher", "fixuid"])
def test_f26_no_new_privileges_names_what_to_check(installed: Installed, name: str) -> None:
    status, output, errors = installed.run("true", name=name, before=("setpriv", "--no-new-privs", "--"))
    assert (status, output) == (1, "")
    for cause in ("chown root:root", "chmod 4755", "no-new-privileges", "nosuid"):
        assert cause in errors


def test_f26_a_nosuid_mount_too(installed: Installed) -> None:
    script = f'mount --bind "{installed.launcher.parent}" /mnt && mount -o remount,bind,nosuid /mnt && exec "$@"'
    command = ("setpriv", "--reuid=1001", "--regid=1002", "--clear-groups", "/mnt/launcher", "true")
    inside = installed.run(ids="0:0", before=("sh", "-c", script, "sh", *command))
    assert inside[:2] == (1, "")
    assert "nosuid" in inside[2]


def test_f26_pyinit_itself_under_the_name_says_that_the_launcher_is_needed(
    installed: Installed, shared_pyinit: Pyinit
) -> None:
    directory = shared_pyinit.file.with_name("scripts")
    directory.mkdir()
    (directory / "fixuid").symlink_to(shared_pyinit.file)
    status, output, errors = installed.run("true", name="scripts/fixuid")
    assert (status, output) == (1, "")
    assert "launcher" in errors and "nosuid" in errors


# Under fixuid's name.


def test_fixuid_becomes_the_program(installed: Installed) -> None:
    assert installed.run("-q", "sh", "-c", "echo $$; whoami; echo $HOME", name="fixuid") == (
        0,
        "1\ndev\n/home/dev\n",
        "",
    )


def test_fixuid_says_what_it_does_unless_it_is_quiet(installed: Installed) -> None:
    status, output, errors = installed.run("true", name="fixuid")
    assert (status, output) == (0, "")
    for gist in ("re-own /home/dev: UID 1000 to 1001", "/etc/passwd: dev: UID 1001", "/etc/group: dev: GID 1002"):
        assert gist in errors
    assert installed.run("-q", "true", name="fixuid") == (0, "", "")
    assert installed.etc.read("passwd") == MATCHED


def test_f37_fixuid_runs_once_in_a_containers_life(installed: Installed) -> None:
    installed.run("-q", "true", name="fixuid")
    status, output, errors = installed.run("sh", "-c", "id -u; id -g", ids="1005:1006", name="fixuid")
    assert (status, output) == (0, "1005\n1006\n")
    assert "already ran in this container" in errors
    assert installed.etc.read("passwd") == MATCHED


@pytest.mark.parametrize(
    ("words", "status"),
    [(["-x"], 2), (["--quiet"], 2), (["-q", "no-such-program"], 1), (["/etc/passwd"], 1), (["sh", "-c", "exit 3"], 3)],
)
def test_fixuids_exit_statuses(installed: Installed, words: "list[str]", status: int) -> None:
    found, output, _ = installed.run(*words, name="fixuid")
    assert (found, output) == (status, "")


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["-help"]])
def test_fixuid_shows_its_usage(installed: Installed, words: "list[str]") -> None:
    status, output, _ = installed.run(*words, name="fixuid")
    assert status == 0
    assert output.startswith("usage: fixuid [-q]")


def test_options_after_two_dashes_are_the_programs(installed: Installed) -> None:
    assert installed.run("-q", "--", "printf", "%s|", "-q", "a b", "", name="fixuid")[:2] == (0, "-q|a b||")
