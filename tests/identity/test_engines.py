"""What engines, kernels and filters make of a start with --user: groups, terminals, volumes, and calls that fail."""

import os
from pathlib import Path

import pytest

from tests.support import NAMESPACE, Pyinit, Terminal, probe
from tests.support.identity import PASSWD, Etc

GROUPS = ("grep", "^Groups", "/proc/self/status")
MAP = tuple(probe("in_user_namespace"))


def shell(script: str) -> "tuple[str, ...]":
    return ("sh", "-c", script + ' && exec "$@"', "sh")


@pytest.mark.parametrize("given", ["70000", "70000,70001"])
def test_f57_groups_that_the_namespace_does_not_know_stay(pyinit: Pyinit, etc: Etc, given: str) -> None:
    etc.write("group", "root:x:0:\ndev:x:1000:\n")
    wrapper = (*etc.mounted, "setpriv", "--groups", given, *MAP)
    unknown = " ".join(["65534"] * len(given.split(",")))
    for options in (("-u", "dev"), ("-u", "root"), ("--no-new-privileges",), ("-u", "dev", "--match", "1500")):
        status, output, errors = pyinit.run(*options, "--", *GROUPS, wrapper=wrapper)
        assert (status, output.split(":")[1].strip(), errors) == (0, unknown, ""), options


def test_f57_where_other_groups_are_needed_it_is_said_that_they_go(pyinit: Pyinit, etc: Etc) -> None:
    wrapper = (*etc.mounted, "setpriv", "--groups", "70000", *MAP)
    status, output, errors = pyinit.run("-u", "dev", "--", *GROUPS, wrapper=wrapper)
    assert (status, output.split()[1:], errors.count("\n")) == (0, ["27", "44", "1000"], 1)
    assert "loses those that this user namespace does not know" in errors
    assert pyinit.run("-u", "dev", "--strict", "--", "true", wrapper=wrapper)[0] == 1


def test_f57_where_setgroups_is_denied_and_nothing_is_to_go_it_works(pyinit: Pyinit, etc: Etc) -> None:
    etc.write("group", "root:x:0:\ndev:x:1000:\n")
    deny = ("strace", "-f", "-o", "/dev/null", "-e", "inject=setgroups:error=EPERM")
    wrapper = (*etc.mounted, "setpriv", "--clear-groups", *deny)
    status, output, errors = pyinit.run("-u", "dev", "--", "id", "-G", wrapper=wrapper)
    assert (status, output) == (0, "1000\n"), errors


def test_f58_a_filter_that_refuses_newer_calls_keeps_no_file_from_being_written(pyinit: Pyinit, etc: Etc) -> None:
    calls = "faccessat2,statx,openat2,close_range,clone3"
    wrapper = (
        *etc.mounted,
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={calls}:error=EPERM",
    )
    status, output, errors = pyinit.run("-u", "dev", "--match", "1500:1600", "--", "/bin/echo", "ran", wrapper=wrapper)
    assert (status, output, errors) == (0, "ran\n", "")
    assert "dev:x:1500:1600:" in etc.read("passwd")


def test_f59_without_room_for_workers_it_goes_on_alone(pyinit: Pyinit, etc: Etc) -> None:
    home = etc.home / "dev"
    home.mkdir()
    for number in range(2500):
        (home / str(number)).touch()
    for path in (home, *home.iterdir()):
        os.chown(path, 1000, 1000)
    inject = "inject=clone,fork,vfork:error=EAGAIN:when=1"
    wrapper = (*etc.mounted, "strace", "-o", "/dev/null", "-e", "trace=clone,fork,vfork", "-e", inject)
    status, output, errors = pyinit.run("-u", "dev", "--match", "1500:1600", "--", "echo", "ran", wrapper=wrapper)
    assert (status, output, errors) == (0, "ran\n", "")
    assert {path.stat().st_uid for path in home.iterdir()} == {1500}
    assert "dev:x:1500:" in etc.read("passwd")


VOLUME = "mkdir /home/dev/data && mount -t tmpfs -o mode=755 none /home/dev/data"
WRITE = ("sh", "-c", "echo x >/home/dev/data/file && stat -c %u:%g /home/dev/data")


@pytest.mark.parametrize("match", [(), ("--match", "1500:1600"), ("--match", "1000:1000")])
def test_f60_a_new_volume_that_is_named_is_the_users(pyinit: Pyinit, etc: Etc, match: "tuple[str, ...]") -> None:
    (etc.home / "dev").mkdir()
    options = ("-u", "dev", *match, "--own", "/home/dev/data", "--")
    status, output, errors = pyinit.run(*options, *WRITE, wrapper=(*etc.mounted, *shell(VOLUME)))
    ids = match[1] if match else "1000:1000"
    assert (status, output) == (0, ids + "\n"), errors
    uid, gid = ids.split(":")
    assert errors == f"pyinit: new and empty, so now of UID {uid}, GID {gid}: /home/dev/data\n"


@pytest.mark.parametrize("setup", [VOLUME + " && touch /home/dev/data/old", "mkdir /home/dev/data"])
def test_f60_what_is_not_empty_or_no_mount_stays_roots_and_is_said(pyinit: Pyinit, etc: Etc, setup: str) -> None:
    (etc.home / "dev").mkdir()
    wrapper = (*etc.mounted, *shell(setup))
    script = ("stat", "-c", "%u", "/home/dev/data")
    status, output, errors = pyinit.run("-u", "dev", "--own", "/home/dev/data", "--", *script, wrapper=wrapper)
    assert (status, output) == (0, "0\n")
    assert errors == "pyinit: --own: /home/dev/data stays root's: it is no empty mount, and --match was not given\n"


@pytest.mark.parametrize("options", [("--own", "/home/dev/.cache/a/pip"), ("--match", "1000:1000")])
def test_f60_directories_that_an_engine_made_above_a_mount_are_the_users(
    pyinit: Pyinit, etc: Etc, options: "tuple[str, ...]"
) -> None:
    home = etc.home / "dev"
    (home / ".cache/a/pip").mkdir(parents=True)
    (home / ".config/sub").mkdir(parents=True)
    os.chown(home, 1000, 1000)
    wrapper = (*etc.mounted, *shell("mount -t tmpfs -o mode=755 none /home/dev/.cache/a/pip"))
    status, _, errors = pyinit.run("-u", "dev", *options, "--", "mkdir", "/home/dev/.cache/x", wrapper=wrapper)
    assert status == 0, errors
    assert "/home/dev/.cache, /home/dev/.cache/a" in errors
    assert (home / ".config").stat().st_uid == 0


@pytest.mark.parametrize(
    ("options", "variables", "mask"),
    [
        (("--umask", "027"), {}, "0027"),
        (("-u", "dev", "--umask", "2"), {}, "0002"),
        (("-u", "dev", "--match", "env"), {"UMASK": "077", "PUID": "1500"}, "0077"),
        (("-u", "dev", "--match", "env", "--umask", "022"), {"UMASK": "077", "PUID": "1500"}, "0022"),
        (("-u", "dev"), {"UMASK": "077"}, "0022"),
        (("-u", "dev", "--exec", "--umask", "0"), {}, "0000"),
    ],
)
def test_f61_the_umask_is_the_programs(
    pyinit: Pyinit, etc: Etc, options: "tuple[str, ...]", variables: "dict[str, str]", mask: str
) -> None:
    environment = {**os.environ, **variables}
    found = pyinit.run(*options, "--", "sh", "-c", "umask", wrapper=etc.mounted, env=environment)
    assert found == (0, mask + "\n", "")


def test_f61_a_umask_that_is_none_is_one_line_and_nothing_changes(pyinit: Pyinit, etc: Etc) -> None:
    environment = {**os.environ, "UMASK": "9", "PUID": "1500"}
    options = ("-u", "dev", "--match", "env", "--")
    status, _, errors = pyinit.run(*options, "true", wrapper=etc.mounted, env=environment)
    expected = "pyinit: UMASK: '9' is no umask: octal digits from 000 to 777, such as 022\n"
    assert (status, errors, etc.read("passwd")) == (2, expected, PASSWD)


def test_f62_a_file_of_match_group_that_need_not_be_there(pyinit: Pyinit, etc: Etc, tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    for groups in ("1000 27 44\n", "1000 27 44 998\n"):
        found = pyinit.run("-u", "dev", "--match-group", f"{socket}?", "--", "id", "-G", wrapper=etc.mounted)
        assert found == (0, groups, "")
        socket.touch()
        os.chown(socket, 0, 998)


PARENT = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"


@pytest.mark.parametrize("options", [("--exec",), ("--exec", "-u", "dev"), ("--exec", "-u", "dev", "--keep-home")])
def test_f63_the_parent_death_signal_outlives_the_change_of_the_user(
    pyinit: Pyinit, etc: Etc, options: "tuple[str, ...]"
) -> None:
    command = ("-p", "USR1", *options, "--", "/usr/bin/python3", "-ISc", PARENT)
    assert pyinit.run(*command, wrapper=etc.mounted) == (0, "10\n", "")


@pytest.mark.parametrize(
    ("name", "words", "owner"),
    [
        ("gosu", ("dev",), "0"),
        ("pyinit", ("-u", "dev", "--"), "0"),
        ("pyinit", ("-u", "dev", "--session", "--"), "0"),
    ],
)
def test_f64_a_terminal_of_roots_shell_stays_roots(
    pyinit: Pyinit, etc: Etc, name: str, words: "tuple[str, ...]", owner: str
) -> None:
    named = pyinit.named(name) if name != "pyinit" else pyinit
    line = f"{named.file} {' '.join(words)} true; echo owner $(stat -c %u $(tty)) end"
    with Terminal("unshare", "--mount", *etc.mounted, "sh", "-c", line) as terminal:
        terminal.wait_for("owner [0-9]+ end")
        assert f"owner {owner} end" in terminal.output


def owner_after(pyinit: Pyinit, etc: Etc, *before: str) -> str:
    """Who owns the terminal of PID 1, when the program runs."""
    line = "echo owner $(stat -c %u $(tty)) end"
    with Terminal(*NAMESPACE, *before, *etc.mounted, pyinit.file, "-u", "dev", "--", "sh", "-c", line) as terminal:
        return terminal.wait_for("owner ([0-9]+) end")[1]


def test_f64_a_terminal_of_pid_1_is_given_to_the_user(pyinit: Pyinit, etc: Etc) -> None:
    """An engine's PID 1 leads a session of its own, and has its terminal alone."""
    assert owner_after(pyinit, etc, "setsid", "--ctty") == "1000"


def test_f64_the_terminal_of_a_shell_that_unshares_stays_roots(pyinit: Pyinit, etc: Etc) -> None:
    assert owner_after(pyinit, etc) == "0"


@pytest.mark.parametrize("device", ["c 10 229", "c 1 3"])
def test_f64_no_device_but_a_terminal_is_given_away(pyinit: Pyinit, etc: Etc, tmp_path: Path, device: str) -> None:
    place = tmp_path / "devices"
    place.mkdir()
    script = f'mount -t tmpfs none "$0" && mknod -m 600 "$0/device" {device} && exec "$@" <"$0/device"'
    wrapper = ("setsid", "sh", "-c", script, str(place), *etc.mounted)
    command = ("-u", "dev", "--", "stat", "-L", "-c", "%u", "/proc/self/fd/0")
    assert pyinit.run(*command, wrapper=wrapper) == (0, "0\n", "")
