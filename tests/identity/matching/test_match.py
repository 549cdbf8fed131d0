"""--match, --match-owner, --match-group: the user gets the host's IDs, its files follow, and nobody else's do."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Pyinit, Run, probe, stop_and_resume, wait_until
from tests.support.identity import GROUP, PASSWD, Etc

ID = ["sh", "-c", "id -u; id -g; id -G; whoami; echo $HOME"]


@pytest.fixture
def home(etc: Etc) -> Etc:
    """Homes of dev and node with files of their own, of root's, and with one ID of each."""
    for name, uid in (("dev", 1000), ("node", 1001)):
        directory = etc.home / name
        (directory / "below").mkdir(parents=True)
        (directory / ".cache").mkdir()
        for path in (directory, directory / "below", directory / ".cache"):
            os.chown(path, uid, uid)
        for file, (owner, group) in {"own": (uid, uid), "group": (uid, 44), "user": (0, uid), "root": (0, 0)}.items():
            path = directory / "below" / file
            path.touch()
            os.chown(path, owner, group)
    return etc


def owners(etc: Etc, name: str) -> "dict[str, tuple[int, int]]":
    below = etc.home / name / "below"
    return {path.name: (path.stat().st_uid, path.stat().st_gid) for path in [etc.home / name, *below.iterdir()]}


def run(pyinit: Pyinit, etc: Etc, *options: "str | os.PathLike[str]") -> "tuple[list[str], str]":
    status, output, errors = pyinit.run("-u", "dev", *options, "--", *ID, wrapper=etc.mounted)
    assert status == 0, errors
    return output.splitlines(), errors


def test_uid_gid_account_and_files_become_the_wanted_ones(every_pyinit: Pyinit, home: Etc) -> None:
    output, errors = run(every_pyinit, home, "--match", "1500:1600")
    assert errors == ""
    assert output == ["1500", "1600", "1600 27 44", "dev", "/home/dev"]
    assert home.read("passwd") == PASSWD.replace("dev:x:1000:1000:", "dev:x:1500:1600:")
    assert home.read("group") == GROUP.replace("dev:x:1000:", "dev:x:1600:")
    expected = {"dev": (1500, 1600), "own": (1500, 1600), "group": (1500, 44), "user": (0, 1600), "root": (0, 0)}
    assert owners(home, "dev") == expected
    assert owners(home, "node")["own"] == (1001, 1001)


def test_match_owner_takes_the_ids_of_a_mount(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    os.chown(tmp_path / "work", 4242, 4343)
    output, errors = run(pyinit, home, "--match-owner", tmp_path / "work")
    assert (output[:2], errors) == (["4242", "4343"], "")
    assert owners(home, "dev")["own"] == (4242, 4343)


def test_large_ids_work(pyinit: Pyinit, home: Etc) -> None:
    assert run(pyinit, home, "--match", "1000055:1000001")[0][:2] == ["1000055", "1000001"]
    assert owners(home, "dev")["own"] == (1000055, 1000001)


def test_puid_and_pgid_count_with_match_env_alone(pyinit: Pyinit, home: Etc) -> None:
    environment = {**os.environ, "PUID": "1500", "PGID": "1600"}
    for options, expected in [([], ["1000", "1000"]), (["--match", "env"], ["1500", "1600"])]:
        output = pyinit.run("-u", "dev", *options, "--", *ID, wrapper=home.mounted, env=environment)[1]
        assert output.splitlines()[:2] == expected


@pytest.mark.parametrize(("name", "value"), [("PUID", "abc"), ("PGID", "-1"), ("PUID", "0"), ("PGID", "0")])
def test_a_wrong_puid_is_one_clear_line_and_nothing_changes(pyinit: Pyinit, home: Etc, name: str, value: str) -> None:
    environment = {**os.environ, "PUID": "1500", "PGID": "1500", name: value}
    status, output, errors = pyinit.run("-u", "dev", "--match", "env", "--", *ID, wrapper=home.mounted, env=environment)
    assert (status, output) == (2, "")
    assert errors.startswith(f"pyinit: {name}: ")
    assert home.read("passwd") == PASSWD
    assert owners(home, "dev")["own"] == (1000, 1000)


def test_f31_an_ordinary_account_takes_the_old_number_with_its_home(pyinit: Pyinit, home: Etc) -> None:
    output, _ = run(pyinit, home, "--match", "1001:1000")
    assert output == ["1001", "1000", "1000 27 44", "dev", "/home/dev"]
    changed = PASSWD.replace("dev:x:1000:", "dev:x:1001:").replace("node:x:1001:", "node:x:1000:")
    assert home.read("passwd") == changed
    assert owners(home, "dev")["own"] == (1001, 1000)
    assert owners(home, "node")["own"] == (1000, 1001)


def test_f31_a_system_accounts_number_is_used_and_the_account_stays(pyinit: Pyinit, home: Etc) -> None:
    output, errors = run(pyinit, home, "-v", "--match", "33:1000")
    assert (output[0], output[4]) == ("33", "/home/dev")
    assert "UID 33 is www-data's, a system account" in errors
    assert home.read("passwd") == PASSWD
    assert owners(home, "dev")["own"] == (33, 1000)


@pytest.mark.parametrize("gid", [20, 100, 1001])
def test_f29_a_group_that_has_the_number_is_used(pyinit: Pyinit, home: Etc, gid: int) -> None:
    output, _ = run(pyinit, home, "--match", f"1500:{gid}")
    assert output[:2] == ["1500", str(gid)]
    assert home.read("group") == GROUP
    assert home.read("passwd") == PASSWD.replace("dev:x:1000:1000:", f"dev:x:1500:{gid}:")
    assert owners(home, "dev")["own"] == (1500, gid)


def test_f30_the_uid_is_matched_although_the_gid_is_not(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    os.chown(tmp_path / "work", 1500, 0)
    output, errors = run(pyinit, home, "--match-owner", tmp_path / "work")
    assert output[:2] == ["1500", "1000"]
    assert "GID 0 is not matched" in errors
    assert owners(home, "dev")["own"] == (1500, 1000)


def test_a_group_that_others_use_keeps_its_number(pyinit: Pyinit, home: Etc) -> None:
    home.write("passwd", PASSWD.replace("dev:x:1000:1000:", "dev:x:1000:100:"))
    home.write("group", GROUP.replace("users:x:100:", "users:x:100:node"))
    output, _ = run(pyinit, home, "--match", "1500:1600")
    assert output[:2] == ["1500", "1600"]
    assert home.read("group") == GROUP.replace("users:x:100:", "users:x:100:node") + "dev-1600:x:1600:\n"
    assert "dev:x:1500:1600:" in home.read("passwd")


def test_f24_root_as_owner_is_not_matched_outside_a_user_namespace(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    output, errors = run(pyinit, home, "--match-owner", tmp_path / "work")
    assert output[:2] == ["1000", "1000"]
    assert errors.count("\n") == 2
    assert "root owns it, and UID 0 is not matched; is it mounted?" in errors
    assert home.read("passwd") == PASSWD
    status, *_ = pyinit.run(
        "-u", "dev", "--strict", "--match-owner", tmp_path / "work", "--", *ID, wrapper=home.mounted
    )
    assert status == 1


@pytest.mark.parametrize("ids", ["0", "0:1000", "1000:0"])
def test_f24_zero_as_a_number_is_refused(pyinit: Pyinit, home: Etc, ids: str) -> None:
    status, output, errors = pyinit.run("-u", "dev", "--match", ids, "--", *ID, wrapper=home.mounted)
    assert (status, output) == (2, "")
    assert "--match: " in errors
    assert home.read("passwd") == PASSWD


def test_f24_root_as_owner_in_a_user_namespace_is_the_hosts_user(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    """As rootless engines have it: the home must not become root's."""
    (tmp_path / "work").mkdir()
    wrapper = (*home.mounted, *probe("in_user_namespace"))
    status, output, errors = pyinit.run(
        "-v", "-u", "dev", "--match-owner", tmp_path / "work", "--", *ID, wrapper=wrapper
    )
    assert status == 0, errors
    assert output.splitlines()[:2] == ["0", "0"]
    assert "UID 0 is the host's user in this user namespace" in errors
    assert home.read("passwd") == PASSWD
    assert owners(home, "dev")["own"] == (1000, 1000)


def test_f43_the_sockets_group_is_added_and_roots_is_refused(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    (tmp_path / "socket").touch()
    (tmp_path / "roots").touch()
    os.chown(tmp_path / "socket", 0, 998)
    output, errors = run(pyinit, home, "--match-group", tmp_path / "socket", "--match-group", tmp_path / "roots")
    assert set(output[2].split()) == {"1000", "27", "44", "998"}
    assert "its group is root's" in errors
    assert home.read("group") == GROUP


@pytest.mark.parametrize("option", ["--match-owner", "--match-group"])
def test_a_path_that_is_not_there_is_one_clear_line(pyinit: Pyinit, home: Etc, option: str) -> None:
    status, output, errors = pyinit.run("-u", "dev", option, "/not/there", "--", *ID, wrapper=home.mounted)
    assert (status, output) == (2, "")
    assert errors == f"pyinit: {option}: '/not/there': No such file or directory\n"


def test_f32_f37_when_all_matches_nothing_is_walked(pyinit: Pyinit, home: Etc) -> None:
    run(pyinit, home, "--match", "1500:1600")
    os.chown(home.home / "dev" / "below" / "own", 1000, 1000)  # a walk would change it
    before = (home.path / "passwd").stat()
    run(pyinit, home, "--match", "1500:1600")
    assert owners(home, "dev")["own"] == (1000, 1000)
    assert (home.path / "passwd").stat().st_mtime_ns == before.st_mtime_ns


def test_f37_another_number_at_the_next_start_is_matched_again(pyinit: Pyinit, home: Etc) -> None:
    run(pyinit, home, "--match", "1500:1600")
    run(pyinit, home, "--match", "1700:1800")
    assert owners(home, "dev")["own"] == (1700, 1800)
    assert home.read("passwd") == PASSWD.replace("dev:x:1000:1000:", "dev:x:1700:1800:")


def test_f36_killed_in_the_middle_the_next_start_finishes(pyinit: Pyinit, home: Etc) -> None:
    """Killed at each chown and rename in turn: the account says the old IDs until all files have the new ones."""
    for number in range(1, 100):
        inject = f"inject=fchownat,chown,lchown,fchown,rename:signal=KILL:when={number}"
        tracer = ("strace", "-f", "-o", "/dev/null", "-e", "trace=fchownat,chown,lchown,fchown,rename", "-e", inject)
        target = 1500 + number % 2
        status = pyinit.run("-u", "dev", "--match", f"{target}:1600", "--", "true", wrapper=(*home.mounted, *tracer))[0]
        if f"dev:x:{target}:" in home.read("passwd"):
            assert owners(home, "dev")["own"][0] == target
        run(pyinit, home, "--match", f"{target}:1600")
        assert owners(home, "dev")["own"] == (target, 1600)
        assert f"dev:x:{target}:1600:" in home.read("passwd")
        if status == 0:
            break
    else:
        pytest.fail("no run got through")


def test_f40_no_tool_is_called(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    """Neither usermod, which Alpine lacks and which refuses a user with processes, nor chown."""
    trace = tmp_path / "trace"
    wrapper = (*home.mounted, "strace", "-f", "-o", str(trace), "-e", "trace=execve")
    assert pyinit.run("-u", "dev", "--match", "1500:1600", "--", "/bin/true", wrapper=wrapper)[0] == 0
    executed = [line.split('"')[1] for line in trace.read_text().splitlines() if "execve(" in line]
    assert executed == [str(pyinit.file), "/bin/true"]
    assert "dev:x:1500:1600:" in home.read("passwd")


def test_a_home_that_is_not_there_is_no_obstacle(pyinit: Pyinit, etc: Etc) -> None:
    output, errors = run(pyinit, etc, "--match", "1500:1600")
    assert (output[:2], errors) == (["1500", "1600"], "")
    assert "dev:x:1500:1600:" in etc.read("passwd")


def test_f35_own_names_trees_that_follow_instead_of_the_home(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").touch()
    for path in (data, data / "file"):
        os.chown(path, 1000, 1000)
    run(pyinit, home, "--match", "1500:1600", "--own", data)
    assert (data / "file").stat().st_uid == 1500
    assert owners(home, "dev")["own"] == (1000, 1000)


def test_a_home_that_is_the_root_directory_is_not_walked(pyinit: Pyinit, home: Etc) -> None:
    home.write("passwd", PASSWD.replace(":/home/dev:", ":/:"))
    run(pyinit, home, "--match", "1500:1600")
    assert owners(home, "dev")["own"] == (1000, 1000)


READ_ONLY = 'mount -o remount,bind,ro /etc && exec "$@"'


@pytest.mark.parametrize("spelling", ["/.", "/usr/..", "//", "/link", "/proc/self/root"])
def test_f119_a_home_that_is_the_root_directory_by_another_name_is_not_walked(
    pyinit: Pyinit, home: Etc, spelling: str
) -> None:
    """The numbers are nobody's: nothing of this machine would change hands."""
    (home.home / "link").symlink_to("..")
    spelling = spelling.replace("/link", "/home/link")
    home.write("passwd", PASSWD.replace("dev:x:1000:1000:Dev,,,:/home/dev:", f"dev:x:61000:61000::{spelling}:"))
    output, errors = run(pyinit, home, "-v", "--match", "62000:62000")
    assert output[:2] == ["62000", "62000"]
    assert "re-own" not in errors


@pytest.mark.parametrize("spelling", ["/home/dev/.", "/home/./dev/below", "/home/node/../dev", "/home/link", "/home/."])
def test_f119_a_home_that_is_part_of_the_users_by_another_name_is_not_walked(
    pyinit: Pyinit, home: Etc, spelling: str
) -> None:
    (home.home / "link").symlink_to("dev/below")
    home.write("passwd", PASSWD.replace(":/home/node:", f":{spelling}:"))
    errors = run(pyinit, home, "-v", "--match", "1001:1001")[1]
    assert "re-own /home/dev: UID 1000 to 1001" in errors
    assert errors.count("re-own ") == 1


def test_f55_a_home_that_root_may_not_look_into_is_no_success(pyinit: Pyinit, home: Etc) -> None:
    (home.home / "dev").chmod(0o700)
    limit = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "env")
    options = ("-u", "dev", "--match", "1500:1600", "--", "true")
    errors = pyinit.run(*options, wrapper=(*home.mounted, *limit))[2]
    assert "re-owning /home/dev: 1 not possible, the first: /home/dev: Permission denied" in errors
    assert "/etc/passwd stays as it is until they do" in errors
    assert (home.read("passwd"), home.read("group")) == (PASSWD, GROUP)


def test_a_home_that_is_a_symbolic_link_has_not_followed(pyinit: Pyinit, home: Etc) -> None:
    (home.home / "dev").rename(home.home / "there")
    (home.home / "dev").symlink_to("there")
    errors = run(pyinit, home, "--match", "1500:1600")[1]
    assert "/home/dev: a symbolic link is not followed; name what it points to" in errors
    assert (home.read("passwd"), home.read("group")) == (PASSWD, GROUP)
    assert run(pyinit, home, "--match", "1500:1600", "--own", "/home/there")[1] == ""
    assert home.read("passwd") == PASSWD.replace("dev:x:1000:1000:", "dev:x:1500:1600:")


# Makes /home an overlay whose layers are on different file systems: files have another st_dev than directories.
OVERLAY = """
    cd "$0"; mkdir lower upper; mount -t tmpfs none lower; mount -t tmpfs none upper; mkdir upper/files upper/work
    cp -a /home/. lower; chmod 755 lower upper/files
    mount -t overlay -o lowerdir=lower,upperdir=upper/files,workdir=upper/work,xino=off overlay /home
"""


@pytest.mark.parametrize("proc", ["there", "not there"])
def test_f115_what_is_on_an_overlay_follows_or_the_account_stays(
    pyinit: Pyinit, home: Etc, tmp_path: Path, proc: str
) -> None:
    script = OVERLAY + ("" if proc == "there" else "mount -t tmpfs none /proc\n") + 'exec "$@"'
    look = ["sh", "-c", "id -u; cd /home/dev/below; stat -c '%n %u:%g' .. *; cat ../x"]
    (home.home / "dev/x").write_text("text")
    (home.home / "dev/x").chmod(0o600)
    os.chown(home.home / "dev/x", 1000, 1000)
    wrapper = (*home.mounted, "sh", "-ec", script, str(tmp_path))
    _, output, errors = pyinit.run("-u", "dev", "--match", "1500:1600", "--", *look, wrapper=wrapper)
    found = output.splitlines()
    assert found[:2] == ["1500", ".. 1500:1600"], errors
    if proc == "there":
        assert found[2:] == ["group 1500:44", "own 1500:1600", "root 0:0", "user 0:1600", "text"]
        assert errors == ""
        assert home.read("passwd") == PASSWD.replace("dev:x:1000:1000:", "dev:x:1500:1600:")
    else:
        assert found[2:] == ["group 1000:44", "own 1000:1000", "root 0:0", "user 0:1000"]
        assert "without /proc nobody can tell which mount it is on" in errors
        assert (home.read("passwd"), home.read("group")) == (PASSWD, GROUP)


def test_f115_what_an_index_lists_on_an_overlay_follows(pyinit: Pyinit, home: Etc, tmp_path: Path) -> None:
    home.write("index", "pyinit index 1\n/home/dev\n.\nbelow/own\nbelow/user\n")
    options = ("-u", "dev", "--match", "1500:1600", "--own-index", "/etc/index", "--own", "/home/node/below/own")
    os.chown(home.home / "node/below/own", 1000, 1000)
    wrapper = (*home.mounted, "sh", "-ec", OVERLAY + 'exec "$@"', str(tmp_path))
    look = ["sh", "-c", "cd /home/dev; stat -c %u:%g . below below/own below/user ../node/below/own"]
    _, output, errors = pyinit.run(*options, "--", *look, wrapper=wrapper)
    assert output.splitlines() == ["1500:1600", "1000:1000", "1500:1600", "0:1600", "1500:1600"], errors
    assert home.read("passwd") == PASSWD.replace("dev:x:1000:1000:", "dev:x:1500:1600:")


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_f116_on_a_full_disk_an_account_file_that_is_a_mount_stays_as_it_was(
    pyinit: Pyinit, home: Etc, name: str
) -> None:
    content = {"passwd": PASSWD, "group": GROUP}[name]
    content = "#" * (4096 - len(content) - 1) + "\n" + content
    home.write(name, content)
    script = f"""
        mkdir /etc/full; mount -t tmpfs -o size=4k none /etc/full
        cp /etc/{name} /etc/full; mount --bind /etc/full/{name} /etc/{name}; exec "$@"
    """
    wrapper = (*home.mounted, "sh", "-ec", script, "sh")
    options = ("-u", "dev", "--match", "1234567:1234567", "--")
    status, output, errors = pyinit.run(*options, "cat", f"/etc/{name}", wrapper=wrapper)
    assert (status, output) == (0, content)
    assert "passwd cannot be written; the program has the new numbers all the same: No space left on device" in errors


def test_f25_f39_read_only_account_files_are_a_line_and_the_program_has_the_numbers(pyinit: Pyinit, home: Etc) -> None:
    wrapper = (*home.mounted, "sh", "-c", READ_ONLY, "sh")
    status, output, errors = pyinit.run("-u", "dev", "--match", "1500:1600", "--", *ID, wrapper=wrapper)
    assert status == 0
    assert output.splitlines()[:2] == ["1500", "1600"]
    assert "/etc/group cannot be written" in errors
    assert home.read("passwd") == PASSWD
    assert owners(home, "dev")["own"] == (1500, 1600)


def test_with_strict_read_only_account_files_are_an_error_before_anything_changed(pyinit: Pyinit, home: Etc) -> None:
    wrapper = (*home.mounted, "sh", "-c", READ_ONLY, "sh")
    status, output, _ = pyinit.run("-u", "dev", "--strict", "--match", "1500:1600", "--", *ID, wrapper=wrapper)
    assert (status, output) == (1, "")
    assert owners(home, "dev")["own"] == (1000, 1000)


def test_a_user_that_is_named_by_number_is_found_at_the_next_start(pyinit: Pyinit, home: Etc) -> None:
    for user, gid in (("1000", "4343"), ("1000:44", "44")):
        gids = ("--match", f"4242:{gid}") if user == "1000" else ("--match", "4242")
        for _ in range(2):
            output, errors = run(pyinit, home, "-u", user, *gids)
            assert (output[:2], output[3:], errors) == (["4242", gid], ["dev", "/home/dev"], "")
            assert home.read("passwd").count(":4242:") == 1


def test_a_number_that_would_be_another_user_at_the_next_start_is_refused(pyinit: Pyinit, home: Etc) -> None:
    status, _, errors = pyinit.run("-u", "1000", "--match", "1001", "--", "true", wrapper=home.mounted)
    line = "pyinit: --user: 1000 would be node at the next start; say dev\n"
    assert (status, errors, home.read("passwd")) == (2, line, PASSWD)
    home.write("passwd", PASSWD + "twin:x:1000:1000::/home/twin:/bin/sh\n")
    status, _, errors = pyinit.run("-u", "1000", "--match", "4242", "--", "true", wrapper=home.mounted)
    assert (status, errors) == (2, line.replace("node", "twin"))


def test_of_several_entries_with_a_name_the_one_that_is_meant_is_changed(pyinit: Pyinit, home: Etc) -> None:
    passwd, group = PASSWD + "dev:x:1007:1007::/home/other:/bin/sh\n", GROUP + "dev:x:1007:\n"
    home.write("passwd", passwd)
    home.write("group", group)
    output, errors = run(pyinit, home, "-u", "1007", "--match", "4242:4343")
    assert (output[:2], errors) == (["4242", "4343"], "")
    assert home.read("passwd") == passwd.replace("dev:x:1007:1007:", "dev:x:4242:4343:")
    assert home.read("group") == group.replace("dev:x:1007:", "dev:x:4343:")


def test_only_the_file_that_cannot_be_changed_is_said_to_keep_its_numbers(pyinit: Pyinit, home: Etc) -> None:
    """/etc/passwd leads to a disk that has no room for a second one."""
    (home.path / "full").mkdir()
    script = "mount -t tmpfs -o size=4k none /etc/full; mv /etc/passwd /etc/full; ln -s full/passwd /etc; "
    wrapper = (*home.mounted, "sh", "-c", script + 'exec "$@"', "sh")
    status, output, errors = pyinit.run("-u", "dev", "--match", "4242:4343", "--", "id", "-u", wrapper=wrapper)
    assert (status, output) == (0, "4242\n")
    why = "cannot be written; the program has the new numbers all the same: No space left on device"
    assert errors == f"pyinit: /etc/passwd {why}\n"
    assert home.read("group") == GROUP.replace("dev:x:1000:", "dev:x:4343:")


def test_an_account_is_needed_to_match(pyinit: Pyinit, home: Etc) -> None:
    status, _, errors = pyinit.run("-u", "4242", "--match", "1500", "--", *ID, wrapper=home.mounted)
    assert status == 2
    assert "--user: 4242 has no account" in errors


def test_verbose_says_the_plan(pyinit: Pyinit, home: Etc) -> None:
    errors = run(pyinit, home, "-v", "--match", "1001:1600")[1]
    for line in (
        "re-own /home/dev: UID 1000 to 1001, GID 1000 to 1600",
        "re-own /home/node: UID 1001 to 1000",
        "/etc/group: dev: GID 1600",
        "/etc/passwd: dev: UID 1001",
        "/etc/passwd: node: UID 1000",
    ):
        assert f"pyinit: {line}\n" in errors


def test_f27_a_uid_without_an_account_gets_an_entry_where_it_may_be_written(shared_pyinit: Pyinit, etc: Etc) -> None:
    (etc.path / "passwd").chmod(0o664)
    wrapper = (*etc.mounted, "setpriv", "--reuid", "1234567", "--regid", "0", "--clear-groups")
    for _ in range(2):
        output = shared_pyinit.run("-q", "-u", "dev", "--match", "1500", "--", "whoami", wrapper=wrapper)[1]
        assert output == "dev-1234567\n"
    assert etc.read("passwd") == PASSWD + "dev-1234567:x:1234567:0::/home/dev:/bin/bash\n"


@pytest.mark.parametrize("room", [0, 10])
def test_f27_an_entry_for_which_there_is_no_room_is_a_warning(shared_pyinit: Pyinit, etc: Etc, room: int) -> None:
    """The file is a mount from a disk that is full but for `room` bytes: no half entry is left in it."""
    comment = "#" * (4096 - len(PASSWD) - 1 - room) + "\n"
    etc.write("passwd", comment + PASSWD)
    (etc.path / "full").mkdir()
    script = (
        "mount -t tmpfs -o size=4k none /etc/full; cp /etc/passwd /etc/full; chmod 666 /etc/full/passwd; "
        'mount --bind /etc/full/passwd /etc/passwd; exec setpriv --reuid 4242 --clear-groups "$@"'
    )
    wrapper = (*etc.mounted, "sh", "-c", script, "sh")
    options = ("-u", "dev", "--match", "1500", "--")
    status, output, errors = shared_pyinit.run(*options, "cat", "/etc/passwd", wrapper=wrapper)
    assert (status, output) == (0, comment + PASSWD), errors
    why = "no room for all of it" if room else "No space left on device"
    assert f"pyinit: /etc/passwd: cannot add dev-4242 for UID 4242: {why}\n" in errors


@pytest.mark.parametrize("before", ["true", "mount -t tmpfs none /proc"])
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_f117_with_closed_streams_no_message_ends_up_in_an_account_file(
    shared_pyinit: Pyinit, etc: Etc, before: str, closed: str
) -> None:
    (etc.path / "passwd").chmod(0o666)
    script = f'{before}; exec setpriv --reuid 4242 --regid 4242 --clear-groups "$@" {closed}'
    wrapper = (*etc.mounted, "sh", "-c", script, "sh")
    assert shared_pyinit.run("-v", "-u", "dev", "--match", "1500", "--", "true", wrapper=wrapper)[0] == 0
    assert etc.read("passwd") == PASSWD + "dev-4242:x:4242:4242::/home/dev:/bin/bash\n"


def test_f27_without_matching_nothing_is_written(shared_pyinit: Pyinit, etc: Etc) -> None:
    (etc.path / "passwd").chmod(0o664)
    wrapper = (*etc.mounted, "setpriv", "--reuid", "1234567", "--regid", "0", "--clear-groups")
    assert shared_pyinit.run("-u", "dev", "--", "true", wrapper=wrapper)[0] == 0
    assert etc.read("passwd") == PASSWD


# Takes the lock on the account files, and keeps it.
HOLD = """\
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def waiting_for_the_lock(
    pyinit: Pyinit, home: Etc, streams: str = ""
) -> "Iterator[tuple[Run, subprocess.Popen[bytes]]]":
    """pyinit, which has re-owned the tree and waits for the lock of the account files, and the process that has it."""
    wrapper = (*home.mounted, "sh", "-c", f'exec "$@" {streams}', "sh")
    lock = home.path / ".pwd.lock"
    lock.touch(0o600)
    holder = subprocess.Popen(["/usr/bin/python3", "-c", HOLD, str(lock)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pyinit.start("-u", "dev", "--match", "1500:1600", "--", "echo", "started", wrapper=wrapper) as run:
            wait_until(lambda: owners(home, "dev")["own"] == (1500, 1600), "the tree is re-owned")
            yield run, holder
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_f03_a_stop_while_waiting_for_the_lock_ends_at_once(
    pyinit: Pyinit, home: Etc, number: signal.Signals, status: int
) -> None:
    with waiting_for_the_lock(pyinit, home) as (run, _):
        run.send(number)
        assert run.finish()[:2] == (status, "")
        assert home.read("passwd") == PASSWD
        assert home.read("group") == GROUP


def test_f117_with_a_closed_stream_no_message_ends_up_in_the_lock(pyinit: Pyinit, home: Etc) -> None:
    with waiting_for_the_lock(pyinit, home, "2>&-") as (run, _):
        run.send(signal.SIGTERM)
        assert run.finish()[0] == 143
        assert home.read(".pwd.lock") == ""


@pytest.mark.parametrize("lock", ["FIFO", "directory"])
def test_f118_a_lock_that_is_no_file_keeps_nobody_waiting(pyinit: Pyinit, home: Etc, lock: str) -> None:
    {"FIFO": os.mkfifo, "directory": os.mkdir}[lock](home.path / ".pwd.lock")
    output, errors = run(pyinit, home, "--match", "1500:1600")
    assert output[:2] == ["1500", "1600"]
    assert "passwd cannot be written; the program has the new numbers all the same: " in errors
    assert (home.read("passwd"), home.read("group")) == (PASSWD, GROUP)


def test_being_stopped_while_waiting_for_the_lock_ends_nothing(pyinit: Pyinit, home: Etc) -> None:
    with waiting_for_the_lock(pyinit, home) as (run, holder):
        for _ in range(6):
            stop_and_resume(run.pid, 0.2)  # it tries to get the lock ten times a second
        holder.kill()
        assert run.finish() == (0, "started\n", "")


@pytest.mark.parametrize("option", ["--match-owner", "--match-group"])
def test_no_link_that_others_can_have_put_there_names_the_numbers(
    pyinit: Pyinit, home: Etc, tmp_path: Path, option: str
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "link").symlink_to("/etc/shadow")
    os.chown(volume, 1001, 1001)
    status, output, errors = pyinit.run("-u", "dev", option, volume / "link", "--", *ID, wrapper=home.mounted)
    assert (status, output) == (2, "")
    assert (
        f"pyinit: {option}: '{volume}/link': a link that others than root can have put there is not followed" in errors
    )
    (tmp_path / "link").symlink_to(volume)  # root's own
    assert run(pyinit, home, option, tmp_path / "link")[0][:5] != []


def test_the_home_of_who_had_the_number_follows_it_in_a_tree_that_is_named(every_pyinit: Pyinit, home: Etc) -> None:
    for _ in range(2):  # the second start finds all of it done
        run(every_pyinit, home, "--match", "1001", "--own", "/home")
        assert owners(home, "node") == {
            "node": (1000, 1001), "own": (1000, 1001), "group": (1000, 44), "user": (0, 1001), "root": (0, 0)
        }  # fmt: skip
        assert owners(home, "dev")["own"] == (1001, 1000)
        assert "node:x:1000:1001:" in home.read("passwd")


def test_that_a_home_with_the_users_in_it_stays_is_said(pyinit: Pyinit, home: Etc) -> None:
    home.write("passwd", PASSWD.replace(":/home/node:", ":/home:"))
    errors = run(pyinit, home, "--match", "1001")[1]
    assert errors == "pyinit: /home is node's, and has /home/dev in it: its files stay UID 1001's\n"
    assert owners(home, "node")["own"] == (1001, 1001)


def test_a_home_of_another_start_is_said(pyinit: Pyinit, home: Etc) -> None:
    """A kept volume, and a PUID that has changed: what is neither the old number's nor the new one's stays."""
    os.chown(home.home / "dev", 1700, 1700)
    for number in ("1600", "1000"):
        errors = run(pyinit, home, "--match", number)[1]
        assert errors.startswith(f"pyinit: /home/dev is UID 1700's, neither {number} nor what dev had: it stays")


@pytest.mark.parametrize(("user", "group"), [("dev:video", 44), ("dev:staff", 50)])
def test_a_group_that_user_names_beside_its_own_keeps_its_number(
    pyinit: Pyinit, home: Etc, user: str, group: int
) -> None:
    for _ in range(2):
        status, output, _ = pyinit.run("-u", user, "--match", "1500:1600", "--", *ID, wrapper=home.mounted)
        assert (status, output.splitlines()[:3]) == (0, ["1500", "1600", f"1600 {group}"])
        assert owners(home, "dev")["group"] == (1500, 44)
        assert owners(home, "dev")["own"] == (1500, 1000)  # as its own group has it
    assert home.read("group") == GROUP + "dev-1600:x:1600:\n"


@pytest.mark.parametrize("match", ["70000:1000", "1000:70000"])
def test_a_number_that_the_user_namespace_lacks_is_written_nowhere(pyinit: Pyinit, home: Etc, match: str) -> None:
    wrapper = (*home.mounted, *probe("in_user_namespace"))
    status, output, errors = pyinit.run("-u", "dev", "--match", match, "--", *ID, wrapper=wrapper)
    assert (status, output) == (1, "")
    assert "this user namespace has no " in errors and "70000; nothing was changed" in errors
    assert (home.read("passwd"), home.read("group")) == (PASSWD, GROUP)
    assert owners(home, "dev")["own"] == (1000, 1000)
