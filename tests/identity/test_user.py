"""--user: the program's IDs, groups and variables, for good; capabilities; and what happens when we are not root."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import Pyinit, children, probe, proc_status, wait_until
from tests.support.identity import PASSWD, Etc

# What the program says about itself: IDs as /proc has them, then the variables.
TELL = "grep -E '^(Uid|Gid|Groups):' /proc/self/status | tr -s '\\t ' ' '; env"

# Tries every call that could give a UID or GID of root back, and says what it has in the end.
GET_BACK = """\
import os
for call, arguments in [
    (os.setuid, (0,)), (os.seteuid, (0,)), (os.setreuid, (-1, 0)), (os.setreuid, (0, -1)), (os.setresuid, (-1, -1, 0)),
    (os.setresuid, (0, 0, 0)), (os.setgid, (0,)), (os.setegid, (0,)), (os.setregid, (-1, 0)), (os.setregid, (0, -1)),
    (os.setresgid, (-1, -1, 0)), (os.setresgid, (0, 0, 0)), (os.setgroups, ([0],)), (os.initgroups, ("root", 0)),
]:
    try:
        call(*arguments)
        print("got", call.__name__, arguments)
    except OSError:
        pass
print(os.getresuid(), os.getresgid(), os.getgroups())
"""


def told(output: str) -> "tuple[dict[str, str], dict[str, str]]":
    lines = output.splitlines()
    ids = {name: value.strip() for name, _, value in (line.partition(":") for line in lines[:3])}
    variables = {name: value for name, _, value in (line.partition("=") for line in lines[3:])}
    return ids, variables


@pytest.mark.parametrize(
    ("user", "uid", "gid", "groups"),
    [
        ("dev", 1000, 1000, {1000, 27, 44}),
        ("1000", 1000, 1000, {1000, 27, 44}),
        ("dev:", 1000, 1000, {1000, 27, 44}),
        ("dev:staff", 1000, 50, {50}),
        ("dev:5555", 1000, 5555, {5555}),
        ("1234:staff", 1234, 50, {50}),
        ("1234", 1234, 1234, {1234}),
        ("1000055:1000001", 1000055, 1000001, {1000001}),
        ("4294967294:4294967294", 4294967294, 4294967294, {4294967294}),
        (":staff", 0, 50, {50}),
        ("77", 1077, 1077, {1077}),
    ],
)
def test_all_ids_and_groups_are_the_users(
    pyinit: Pyinit, etc: Etc, user: str, uid: int, gid: int, groups: "set[int]"
) -> None:
    etc.write("passwd", PASSWD + "77:x:1077:1077::/home/dev:/bin/sh\n")  # a name of digits comes before a number
    status, output, errors = pyinit.run("-u", user, "--", "sh", "-c", TELL, wrapper=etc.mounted)
    assert (status, errors) == (0, "")
    ids, _ = told(output)
    assert ids["Uid"].split() == [str(uid)] * 4
    assert ids["Gid"].split() == [str(gid)] * 4
    assert set(map(int, ids["Groups"].split())) == groups


@pytest.mark.parametrize("user", ["nobody-here", "dev:no-such-group", "4294967295", "-1", "99999999999", "1e3"])
def test_a_name_that_is_nobodys_is_one_clear_line(pyinit: Pyinit, etc: Etc, user: str) -> None:
    status, output, errors = pyinit.run("-u", user, "--", "echo", "started", wrapper=etc.mounted)
    assert (status, output) == (2, "")
    assert errors.startswith("pyinit: --user: ")
    assert repr(user.rpartition(":")[2]) in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("user", ["", ":", "a:b:c"])
def test_a_user_that_names_nobody_is_wrong_usage(pyinit: Pyinit, user: str) -> None:
    status, _, errors = pyinit.run("-u", user, "--", "true")
    assert status == 2
    assert f"-u: {user!r} names nobody" in errors


def test_there_is_no_way_back(every_pyinit: Pyinit, etc: Etc) -> None:
    command = ["/usr/bin/python3", "-ISc", GET_BACK]
    status, output, errors = every_pyinit.run("-u", "nobody", "--", *command, wrapper=etc.mounted)
    assert (status, errors) == (0, "")
    assert output == "(65534, 65534, 65534) (65534, 65534, 65534) [65534]\n"


def test_f44_home_and_names_come_from_the_account(pyinit: Pyinit, etc: Etc) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "USER": "root", "OTHER": "kept"}
    output = pyinit.run("-u", "dev", "--", "sh", "-c", TELL, wrapper=etc.mounted, env=environment)[1]
    _, variables = told(output)
    assert variables["HOME"] == "/home/dev"
    assert variables["USER"] == variables["LOGNAME"] == "dev"
    assert variables["SHELL"] == "/bin/bash"
    assert variables["OTHER"] == "kept"


def test_f44_keep_home_leaves_home_alone(pyinit: Pyinit, etc: Etc) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/kept"}
    output = pyinit.run("-u", "dev", "--keep-home", "--", "env", wrapper=etc.mounted, env=environment)[1]
    assert "HOME=/kept\n" in output
    assert "USER=dev\n" in output


def test_an_account_without_login_still_gets_a_shell_that_works(pyinit: Pyinit, etc: Etc) -> None:
    output = pyinit.run("-u", "www-data", "--", "env", wrapper=etc.mounted)[1]
    assert "SHELL=/bin/sh\n" in output
    assert "HOME=/var/www\n" in output


def test_a_number_without_an_account_gets_neutral_variables(pyinit: Pyinit, etc: Etc) -> None:
    output = pyinit.run("-u", "4242", "--", "env", wrapper=etc.mounted)[1]
    assert "HOME=/\n" in output
    assert "USER=4242\n" in output


def test_numbers_work_without_account_files(pyinit: Pyinit, etc: Etc) -> None:
    etc.remove("passwd")
    etc.remove("group")
    output = pyinit.run("-u", "4242:4343", "--", "id", wrapper=etc.mounted)[1]
    assert output.startswith("uid=4242 gid=4343 groups=4343")


def test_f41_groups_of_the_engine_stay_and_f42_roots_own_go(pyinit: Pyinit, etc: Etc) -> None:
    """Root is a member of adm (4); the engine added 998 and 999."""
    engine = ("setpriv", "--groups", "0,4,998,999", *etc.mounted)
    output = pyinit.run("-u", "dev", "--", "sh", "-c", TELL, wrapper=engine)[1]
    assert set(told(output)[0]["Groups"].split()) == {"1000", "27", "44", "998", "999"}


def test_pid_1_stays_root_and_can_signal_and_reap(pyinit: Pyinit, etc: Etc) -> None:
    script = "trap 'exit 7' TERM; (exit 0) & echo ready; while :; do sleep 0.05; done"
    with pyinit.start("-u", "dev", "--", "sh", "-c", script, wrapper=etc.mounted) as run:
        run.wait_for("ready")
        assert proc_status(run.pid)["Uid"].split() == ["0"] * 4
        run.send(15)
        assert run.finish()[0] == 7


def test_f45_standard_streams_can_be_opened_anew(pyinit: Pyinit, etc: Etc) -> None:
    script = "echo out >/dev/stdout; echo err >/dev/stderr"
    assert pyinit.run("-u", "dev", "--", "sh", "-c", script, wrapper=etc.mounted) == (0, "out\n", "err\n")


def test_f45_a_file_as_standard_output_is_not_given_away(pyinit: Pyinit, etc: Etc, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        assert pyinit.run("-u", "dev", "--", "echo", "hello", wrapper=etc.mounted, stdout=log)[0] == 0
    assert (tmp_path / "log").stat().st_uid == 0
    assert os.stat("/dev/null").st_uid == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"CapPrm": "0", "CapEff": "0", "CapAmb": "0", "NoNewPrivs": "0"}),
        (["--drop-capabilities"], {"CapPrm": "0", "CapEff": "0", "CapBnd": "0", "CapInh": "0", "CapAmb": "0"}),
        (["--no-new-privileges"], {"NoNewPrivs": "1", "CapEff": "0"}),
        (["--keep-capabilities", "net_bind_service"], {"CapPrm": "400", "CapEff": "400", "CapAmb": "400"}),
        (["--keep-capabilities", "CAP_CHOWN,kill"], {"CapPrm": "21", "CapEff": "21", "CapAmb": "21", "CapInh": "21"}),
        (
            ["--drop-capabilities", "--keep-capabilities", "net_bind_service", "--no-new-privileges"],
            {"CapPrm": "400", "CapEff": "400", "CapBnd": "400", "CapAmb": "400", "NoNewPrivs": "1"},
        ),
    ],
)
def test_f46_the_program_has_just_the_capabilities_asked_for(
    pyinit: Pyinit, etc: Etc, options: "list[str]", expected: "dict[str, str]"
) -> None:
    command = ["grep", "-E", "^(Cap|NoNew)", "/proc/self/status"]
    status, output, errors = pyinit.run("-u", "dev", *options, "--", *command, wrapper=etc.mounted)
    assert (status, errors) == (0, "")
    found = {
        name: value.strip().lstrip("0") or "0" for name, _, value in (x.partition(":") for x in output.split("\n"))
    }
    assert {name: found[name] for name in expected} == expected


def test_capabilities_can_be_dropped_from_root(pyinit: Pyinit) -> None:
    output = pyinit.run("--drop-capabilities", "--", "grep", "^Cap", "/proc/self/status")[1]
    assert {line.split()[1].strip("0") for line in output.splitlines()} == {""}


def test_f46_a_kept_capability_can_be_used(pyinit: Pyinit, etc: Etc) -> None:
    bind = "import socket; socket.socket().bind(('127.0.0.1', 81)); print('bound')"
    for options, status in [([], 1), (["--keep-capabilities", "net_bind_service"], 0)]:
        wrapper = ("unshare", "--net", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh", *etc.mounted)
        assert pyinit.run("-u", "dev", *options, "--", "/usr/bin/python3", "-ISc", bind, wrapper=wrapper)[0] == status


def test_an_unknown_capability_is_one_clear_line(pyinit: Pyinit) -> None:
    status, _, errors = pyinit.run("-u", "1", "--keep-capabilities", "fly", "--", "true")
    assert status == 2
    assert "--keep-capabilities: 'fly' is no capability" in errors


def test_a_capability_that_is_not_there_cannot_be_kept(pyinit: Pyinit) -> None:
    engine = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "sh", "-c", 'exec "$@"', "sh")
    status, output, errors = pyinit.run(
        "-u", "1", "--keep-capabilities", "net_raw", "--", "echo", "started", wrapper=engine
    )
    assert (status, output) == (2, "")
    assert errors.startswith("pyinit: --keep-capabilities: cap_net_raw: not permitted here")


def test_without_proc_a_capability_is_kept_all_the_same(pyinit: Pyinit) -> None:
    without = ("sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh")
    shows = "umount /proc; grep CapEff /proc/self/status"
    command = ("--keep-capabilities", "sys_admin", "--drop-capabilities", "--", "sh", "-c", shows)
    status, output, errors = pyinit.run(*command, wrapper=without)
    assert (status, output, errors) == (0, "CapEff:\t0000000000200000\n", "")


def test_root_without_the_right_to_change_does_not_run_the_program_as_root(pyinit: Pyinit) -> None:
    engine = ("setpriv", "--bounding-set=-setgid,-setuid", "--inh-caps=-setgid,-setuid", "sh", "-c", 'exec "$@"', "sh")
    status, output, errors = pyinit.run("-u", "4242", "--", "echo", "started", wrapper=engine)
    assert (status, output) == (1, "")
    assert "cannot set GID 4242 (CAP_SETGID): Operation not permitted" in errors


NOT_ROOT = ("setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups")


def test_f23_not_root_is_one_warning_and_the_program_runs(shared_pyinit: Pyinit, etc: Etc) -> None:
    status, output, errors = shared_pyinit.run("-u", "dev", "--", "id", "-u", wrapper=(*etc.mounted, *NOT_ROOT))
    assert (status, output) == (0, "1234\n")
    assert errors.count("\n") == 1
    assert "--user: not root, so the program runs as UID 1234" in errors


AS_DEV = ("setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups")


def test_f23_groups_that_the_engine_did_not_give_are_named(shared_pyinit: Pyinit, etc: Etc) -> None:
    """Started as the user that is asked for, but by its number: only a name gets its groups from an engine."""
    command = ("-u", "dev", "--", "id", "-G")
    status, output, errors = shared_pyinit.run(*command, wrapper=(*etc.mounted, *AS_DEV))
    assert (status, output) == (0, "1000\n")
    assert errors == "pyinit: --user: not root, so the program does without the groups [27, 44]\n"
    assert shared_pyinit.run("--strict", *command, wrapper=(*etc.mounted, *AS_DEV))[:2] == (1, "")
    given = (*etc.mounted, *AS_DEV[:-1], "--groups", "27,44")
    assert shared_pyinit.run("--strict", *command, wrapper=given)[::2] == (0, "")


def test_f23_a_tree_that_stays_anothers_is_named(shared_pyinit: Pyinit, etc: Etc) -> None:
    given = (*etc.mounted, *AS_DEV[:-1], "--groups", "27,44")
    for path, told in (("/etc", "pyinit: --own: not root, so /etc stays whose it is\n"), ("/proc/self/fd", "")):
        command = ("-u", "dev", "--own", path, "--", "echo", "ran")
        assert shared_pyinit.run(*command, wrapper=given) == (0, "ran\n", told)


@pytest.mark.parametrize(("user", "number"), [("70000:1000", "UID 70000"), ("1000:70000", "GID 70000")])
def test_a_number_that_the_user_namespace_lacks_is_named(pyinit: Pyinit, user: str, number: str) -> None:
    """And no capability, which would not help."""
    status, output, errors = pyinit.run("-u", user, "--", "echo", "started", wrapper=probe("in_user_namespace"))
    assert (status, output) == (1, "")
    assert errors.endswith(f": this user namespace has no {number}\n")


def test_f23_not_root_is_an_error_with_strict(shared_pyinit: Pyinit, etc: Etc) -> None:
    status, output, errors = shared_pyinit.run("-u", "dev", "--strict", "--", "id", wrapper=(*etc.mounted, *NOT_ROOT))
    assert (status, output) == (1, "")
    assert errors.count("\n") == 1


def test_f23_who_is_the_user_already_gets_no_warning(shared_pyinit: Pyinit, etc: Etc) -> None:
    already = (*AS_DEV[:-1], "--groups", "27,44")
    script = "id -u; echo $HOME"
    status, output, errors = shared_pyinit.run("-u", "dev", "--", "sh", "-c", script, wrapper=(*etc.mounted, *already))
    assert (status, output, errors) == (0, "1000\n/home/dev\n", "")


def test_f52_exec_leaves_no_init_behind(pyinit: Pyinit, etc: Etc) -> None:
    script = "echo $$; tr '\\0' ' ' </proc/1/cmdline; echo; id -u"
    status, output, errors = pyinit.run("-u", "dev", "--exec", "--", "sh", "-c", script, wrapper=etc.mounted)
    assert (status, errors) == (0, "")
    assert output.splitlines()[0] == "1"
    assert output.splitlines()[1].startswith("sh -c")
    assert output.splitlines()[2] == "1000"


def test_exec_restores_mask_and_dispositions(pyinit: Pyinit) -> None:
    command = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    bare = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert pyinit.run("--exec", "--", *command)[1] == bare


def test_f47_with_a_session_the_program_has_one_of_its_own(pyinit: Pyinit, etc: Etc) -> None:
    script = "cut -d' ' -f1,6 /proc/self/stat; echo $$"
    lines = pyinit.run("-u", "dev", "--session", "--", "sh", "-c", script, wrapper=etc.mounted)[1].splitlines()
    assert lines[0].split()[1] == lines[1]


def test_the_programs_mask_is_pyinits_while_it_runs_as_another_user(pyinit: Pyinit, etc: Etc) -> None:
    with pyinit.start("-u", "dev", "--", "sleep", "60", wrapper=etc.mounted) as run:
        wait_until(lambda: children(run.pid) and proc_status(children(run.pid)[0]).get("Name") == "sleep", "exec")
        status = proc_status(children(run.pid)[0])
    assert int(status["SigBlk"], 16) == 0
    assert status["Uid"].split() == ["1000"] * 4


def test_f45_a_fifo_of_roots_as_standard_output_is_not_given_away(pyinit: Pyinit, etc: Etc, tmp_path: Path) -> None:
    """It has a name, stays when the program has ended, and others could open it."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    for limit in ((), ("setpriv", "--bounding-set=-chown", "env")):
        with open(os.open(fifo, os.O_RDWR), "r+b", buffering=0) as both:
            assert pyinit.run("-u", "dev", "--", "echo", "hello", wrapper=(*etc.mounted, *limit), stdout=both)[0] == 0
        assert (fifo.stat().st_uid, fifo.stat().st_mode & 0o777) == (0, 0o600)


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        ("+net_admin,+setpcap", ["--drop-capabilities"], {"CapPrm": "0", "CapEff": "0", "CapBnd": "0", "CapAmb": "0"}),
        ("+net_admin,+chown", ["--drop-capabilities"], {"CapPrm": "0", "CapEff": "0", "CapInh": "0", "CapAmb": "0"}),
        ("+chown,+kill", ["--keep-capabilities", "kill"], {"CapPrm": "20", "CapEff": "20", "CapAmb": "20"}),
    ],
)
def test_what_an_engine_gave_to_another_user_can_be_dropped(
    shared_pyinit: Pyinit, given: str, options: "list[str]", expected: "dict[str, str]"
) -> None:
    """podman makes them ambient (`--user`, `--cap-add`); to drop one's own takes no right (man 7 capabilities)."""
    engine = (*NOT_ROOT, f"--inh-caps={given}", f"--ambient-caps={given}")
    command = ["grep", "^Cap", "/proc/self/status"]
    status, output, errors = shared_pyinit.run(*options, "--", *command, wrapper=engine)
    found = {name: value.strip().lstrip("0") or "0" for name, value in (x.split(":") for x in output.splitlines())}
    assert status == 0
    assert {name: found[name] for name in expected} == expected
    assert ("CAP_SETPCAP is missing" in errors) is (given == "+net_admin,+chown")


def test_who_is_not_root_and_has_no_capability_has_none_to_drop(shared_pyinit: Pyinit) -> None:
    engine = (*NOT_ROOT, "--inh-caps=-all")
    for option in (["--drop-capabilities"], ["--keep-capabilities", "kill"]):
        status, output, errors = shared_pyinit.run(*option, "--", "echo", "started", wrapper=engine)
        assert (status, output) == (0, "started\n")
        assert "not root, so there is nothing to change" in errors


@pytest.mark.parametrize(
    ("option", "left"),
    [("--drop-capabilities", "the kernel did not drop cap_chown"), ("--no-new-privileges", "did not set no-new-priv")],
)
def test_a_limit_that_a_filter_makes_a_success_of_ends_the_start(
    pyinit: Pyinit, etc: Etc, option: str, left: str
) -> None:
    tracer = ("strace", "-f", "-o", "/dev/null", "-e", "trace=prctl", "-e", "inject=prctl:retval=0")
    status, output, errors = pyinit.run("-u", "dev", option, "--", "echo", "run", wrapper=(*etc.mounted, *tracer))
    assert (status, output) == (1, "")
    assert left in errors


def test_that_root_keeps_every_capability_is_said(pyinit: Pyinit) -> None:
    command = ("--keep-capabilities", "chown", "--", "echo", "started")
    assert pyinit.run(*command)[:2] == (0, "started\n")
    assert "root keeps all that there are" in pyinit.run(*command)[2]
    assert pyinit.run("--strict", *command)[:2] == (1, "")
