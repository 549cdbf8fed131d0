"""Secret files become variables of the program, and of nothing else."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.support import Pyinit
from tests.support.identity import Etc

SHOW = ["sh", "-c", 'printf "%s|" "$PASSWORD" "$TOKEN"']


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "run secrets"
    directory.mkdir()
    (directory / "PASSWORD").write_text("pass word\n")
    (directory / "TOKEN").write_bytes(b"two\nlines\n\n")
    for path in (directory, *directory.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o400)
    return directory


def test_f48_each_file_of_the_directory_is_a_variable_without_one_newline(every_pyinit: Pyinit, files: Path) -> None:
    assert every_pyinit.run("--secrets", files, "--", *SHOW) == (0, "pass word|two\nlines\n|", "")


def test_one_file_can_be_named_and_variables_do_the_same(pyinit: Pyinit, files: Path) -> None:
    assert pyinit.run("--secret", f"TOKEN={files}/PASSWORD", "--", *SHOW) == (0, "|pass word|", "")
    environment = {**os.environ, "PYINIT_SECRET": f"TOKEN={files}/PASSWORD,PASSWORD={files}/TOKEN"}
    assert pyinit.run("--", *SHOW, env=environment)[:2] == (0, "two\nlines\n|pass word|")
    assert pyinit.run("--", *SHOW, env={**os.environ, "PYINIT_SECRETS": str(files)})[0] == 0


def test_x_file_becomes_x_and_goes(pyinit: Pyinit, files: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PASSWORD_FILE": f"{files}/PASSWORD",
        "SSL_CERT_FILE": "/etc/certs",
        "EMPTY_FILE": "",
    }
    script = 'echo "$PASSWORD ${PASSWORD_FILE-gone} $SSL_CERT_FILE"'
    status, output, _ = pyinit.run("--expand-file-vars", "--", "sh", "-c", script, env=environment)
    assert (status, output) == (0, "pass word gone /etc/certs\n")
    assert pyinit.run("--", "sh", "-c", script, env=environment)[1] == f" {files}/PASSWORD /etc/certs\n"


def test_f50_the_suffix_is_exact_and_nothing_is_evaluated(pyinit: Pyinit, files: Path) -> None:
    (files / "PASSWORD").write_text("$(id) `id` $HOME\n")
    environment = {
        "PATH": os.environ["PATH"],
        "PRE_PASSWORD_FILE": f"{files}/PASSWORD",
        "X_FILES": "/no",
        "PROFILE": "/no",
    }
    script = 'echo "$PRE_PASSWORD ${PASSWORD-unset} $X_FILES $PROFILE"'
    status, output, _ = pyinit.run("--expand-file-vars", "--", "sh", "-c", script, env=environment)
    assert (status, output) == (0, "$(id) `id` $HOME unset /no /no\n")


def test_f49_x_and_x_file_both_set_is_an_error_for_an_x_that_was_named(pyinit: Pyinit, files: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PASSWORD_FILE": f"{files}/PASSWORD", "PASSWORD": "other"}
    status, output, errors = pyinit.run("--expand-file-vars=PASSWORD", "--", "echo", "started", env=environment)
    assert (status, output) == (2, "")
    assert errors == "pyinit: --expand-file-vars: PASSWORD and PASSWORD_FILE are both set; only one can count\n"


def test_f49_of_one_that_was_not_named_both_stay_with_a_line(pyinit: Pyinit, files: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PASSWORD_FILE": f"{files}/PASSWORD", "PASSWORD": "other"}
    show = ["sh", "-c", 'echo "$PASSWORD $PASSWORD_FILE"']
    status, output, errors = pyinit.run("--expand-file-vars", "--", *show, env=environment)
    assert (status, output) == (0, f"other {files}/PASSWORD\n")
    assert "both set" in errors and "PASSWORD_FILE stays as it is" in errors
    assert pyinit.run("--strict", "--expand-file-vars", "--", *show, env=environment)[0] == 1


@pytest.mark.parametrize("by_variable", [False, True])
def test_f79_only_what_is_named_is_expanded(pyinit: Pyinit, files: Path, by_variable: bool) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PASSWORD_FILE": f"{files}/PASSWORD",
        "TOKEN_FILE": f"{files}/TOKEN",
        "OTHER_FILE": f"{files}/TOKEN",
        "EMPTY_FILE": "",
        "TOKEN": "",
    }
    names = "PASSWORD,TOKEN,EMPTY,NOT_SET"
    options = [] if by_variable else [f"--expand-file-vars={names}"]
    environment.update({"PYINIT_EXPAND_FILE_VARS": names} if by_variable else {})
    script = 'printf "%s|" "$PASSWORD" "$TOKEN" ${PASSWORD_FILE-gone} ${OTHER-none} ${EMPTY-none}'
    status, output, errors = pyinit.run(*options, "--", "sh", "-c", script, env=environment)
    assert (status, output, errors) == (0, "pass word|two\nlines\n|gone|none|none|", "")


def test_f79_what_was_named_must_be_there(pyinit: Pyinit) -> None:
    environment = {"PATH": os.environ["PATH"], "TOKEN_FILE": "/no/such/file"}
    status, output, errors = pyinit.run("--expand-file-vars=TOKEN", "--", "echo", "started", env=environment)
    assert (status, output) == (2, "")
    assert errors == "pyinit: --expand-file-vars: TOKEN: cannot read '/no/such/file': No such file or directory\n"


@pytest.mark.parametrize("path", ["/no/such/file", "/", "/dev/null", "relative"])
def test_f79_what_was_not_named_stays_where_it_is_no_file(pyinit: Pyinit, path: str) -> None:
    environment = {"PATH": os.environ["PATH"], "STATE_FILE": path}
    show = ["sh", "-c", 'echo "$STATE_FILE ${STATE-none}"']
    status, output, errors = pyinit.run("--expand-file-vars", "--", *show, env=environment)
    assert (status, output) == (0, f"{path} none\n")
    assert errors.startswith("pyinit: --expand-file-vars: STATE: ") and errors.count("\n") == 1
    assert errors.endswith("STATE_FILE stays as it is\n")
    assert pyinit.run("--strict", "--expand-file-vars", "--", *show, env=environment)[:2] == (1, "")


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "LOG_FILE", "TF_CLI_CONFIG_FILE"]
)
@pytest.mark.parametrize("there", [True, False])
def test_f79_what_is_known_to_be_no_secret_is_left_alone(pyinit: Pyinit, files: Path, name: str, there: bool) -> None:
    path = f"{files}/TOKEN" if there else "/not/there/yet"
    environment = {"PATH": os.environ["PATH"], name: path}
    assert pyinit.run("--expand-file-vars", "--", "printenv", name, env=environment) == (0, f"{path}\n", "")
    named = f"--expand-file-vars={name[:-5]}"
    assert pyinit.run(named, "--", "printenv", name[:-5], env=environment)[0] == (0 if there else 2)


def test_f78_what_is_no_variable_in_the_directory_is_passed_over_with_one_line(pyinit: Pyinit, files: Path) -> None:
    """RHEL's hosts put theirs there, whatever it is and whoever may read it."""
    (files / "redhat.repo").write_text("secret value")
    (files / "db-password").symlink_to("nowhere")
    (files / "rhsm").mkdir()
    os.mkfifo(files / "a b")
    status, output, errors = pyinit.run("--secrets", files, "--", *SHOW)
    assert (status, output) == (0, "pass word|two\nlines\n|")
    assert errors == (
        "pyinit: --secrets: passed over, since they cannot be variables: 'a b', 'db-password', 'redhat.repo'\n"
    )
    assert pyinit.run("--secrets", files, "--strict", "--", *SHOW) == (1, "", errors)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        *((b"x\r\n", "x"), (b"x\n", "x"), (b"x\r", "x\r"), (b"x\n\r\n", "x\n"), (b"x\r\n\n", "x\r\n")),
        *((b"x\r\r\n", "x\r"), (b"\r\n", ""), (b"\n", ""), (b"", "")),
    ],
)
def test_f78_one_end_of_line_is_removed_windows_too(pyinit: Pyinit, tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "file").write_bytes(content)
    shown = pyinit.run("--secret", f"X={tmp_path}/file", "--", "sh", "-c", "printf '%s|' \"$X\"")
    assert shown == (0, f"{value}|", "")


def test_f51_the_values_are_the_programs_alone(pyinit: Pyinit, files: Path, tmp_path: Path) -> None:
    """Not in PID 1's environment or command line, not in the log, not in the journal, and not in a hook's."""
    script = 'env | grep -c "pass[ ]word"; cat /proc/1/environ /proc/1/cmdline | grep -c "pass[ ]word" || :; exit 0'
    hook = "sh -c 'echo hook ${PASSWORD-has none}'"
    options = ["-vv", "--before", hook, "--after", hook]
    journal = tmp_path / "journal"
    status, output, errors = pyinit.run(*options, "--events", journal, "--secrets", files, "--", "sh", "-c", script)
    assert (status, output) == (0, "hook has none\n1\n0\nhook has none\n")
    assert "pass word" not in errors + journal.read_text()


def test_they_are_read_as_root_for_a_user_who_cannot(pyinit: Pyinit, files: Path, etc: Etc) -> None:
    status, output, _ = pyinit.run("--secrets", files, "-u", "dev", "--", *SHOW, wrapper=etc.mounted)
    assert (status, output) == (0, "pass word|two\nlines\n|")


def test_a_volume_as_kubernetes_makes_it_works(pyinit: Pyinit, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "..2026").mkdir(parents=True)
    (volume / "..2026" / "TOKEN").write_text("value")
    (volume / "..data").symlink_to("..2026")
    (volume / "TOKEN").symlink_to("..data/TOKEN")
    (volume / "lost+found").mkdir()
    assert pyinit.run("--secrets", volume, "--", *SHOW)[:2] == (0, "|value|")


def nul_byte(directory: Path) -> None:
    (directory / "BAD").write_bytes(b"secret value\0x")


def too_long(directory: Path) -> None:
    (directory / "BAD").write_bytes(b"secret value" * 20000)


def fifo(directory: Path) -> None:
    os.mkfifo(directory / "BAD")


def dangling(directory: Path) -> None:
    (directory / "BAD").symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nul_byte, "has a NUL byte"),
        (too_long, "is longer than a variable can be"),
        (fifo, "is not a regular file"),
        (dangling, "No such file or directory"),
    ],
)
def test_a_bad_file_is_one_clear_line_and_nothing_is_started(
    pyinit: Pyinit, files: Path, make: "object", message: str
) -> None:
    assert callable(make)
    make(files)
    status, output, errors = pyinit.run("--secrets", files, "--before", "echo hook", "--", "echo", "started")
    assert (status, output) == (2, "")
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert "secret value" not in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--secrets", "/no/such/directory"], "--secrets: '/no/such/directory': No such file or directory"),
        (["--secret", "X=/no/such/file"], "--secret: X: cannot read '/no/such/file': No such file or directory"),
        (["--secret", "1X=/etc/passwd"], "--secret: '1X' cannot be a variable"),
        (["--secret", "X=/etc/hostname", "--secret", "X=/etc/passwd"], "--secret: X has a value from another file"),
        (["--secret", "X"], "--secret: 'X' is not of the form NAME=PATH"),
    ],
)
def test_a_bad_option_is_one_clear_line(pyinit: Pyinit, options: "list[str]", message: str) -> None:
    status, output, errors = pyinit.run(*options, "--", "echo", "started")
    assert (status, output) == (2, "")
    assert errors.startswith(f"pyinit: {message}")


@pytest.mark.parametrize("link", ["TOKEN", "link/TOKEN"])
@pytest.mark.parametrize("option", ["--secrets", "--secret", "--expand-file-vars"])
def test_no_link_that_others_can_have_put_there_leads_root_to_a_file(
    pyinit: Pyinit, files: Path, tmp_path: Path, option: str, link: str
) -> None:
    """A volume that another user writes to would name any file of root's, for a program of that user's to read."""
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / link.partition("/")[0]).symlink_to(files if "/" in link else files / "TOKEN")
    os.chown(volume, 1000, 1000)
    environment = {"PATH": os.environ["PATH"]}
    values: "dict[str, list[str]]" = {
        "--secrets": [option, str((volume / link).parent)],
        "--secret": [option, f"TOKEN={volume / link}"],
        "--expand-file-vars": ["--expand-file-vars=TOKEN"],
    }
    if option == "--expand-file-vars":
        environment["TOKEN_FILE"] = str(volume / link)
    status, output, errors = pyinit.run(*values[option], "--", *SHOW, env=environment)
    assert (status, output) == (2, "")
    assert "a link that others than root can have put there is not followed; name what it leads to" in errors
    os.chown(volume, 0, 0)
    assert pyinit.run(*values[option], "--", *SHOW, env=environment)[0] == 0


def test_links_of_roots_are_followed_as_kubernetes_makes_them(
    every_pyinit: Pyinit, files: Path, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    files.rename(volume / "..2026")
    (volume / "..data").symlink_to("..2026")
    for name in ("PASSWORD", "TOKEN"):
        (volume / name).symlink_to(f"..data/{name}")
    mounted = ("sh", "-c", 'mount --bind "$0" "$0" && exec "$@"', str(volume))
    for mode, wrapper in ((0o755, ()), (0o1777, mounted)):  # a volume of the kubelet's has the second
        volume.chmod(mode)
        found = every_pyinit.run("--secrets", volume, "--", *SHOW, wrapper=wrapper)
        assert found == (0, "pass word|two\nlines\n|", "")
    assert every_pyinit.run("--secrets", volume, "--", *SHOW)[:2] == (2, ""), "root's, but moved there by others"
    os.chown(volume / "TOKEN", 1000, 1000, follow_symlinks=False)
    assert every_pyinit.run("--secrets", volume, "--", *SHOW, wrapper=mounted)[:2] == (2, "")


def test_no_directory_is_listed_that_others_may_not_list(pyinit: Pyinit, files: Path, tmp_path: Path) -> None:
    """Names that can be no variables would be told."""
    (files / "odd-name.txt").touch()
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/link").symlink_to(files)
    os.chown(tmp_path / "volume", 1000, 1000)
    status, output, errors = pyinit.run("--secrets", tmp_path / "volume/link", "--", *SHOW)
    assert (status, output) == (2, "")
    assert "odd-name" not in errors


def test_a_directory_on_the_way_need_not_be_readable(pyinit: Pyinit, files: Path) -> None:
    """Root without the capabilities may pass through one as anybody may (man 7 path_resolution)."""
    os.chown(files, 1000, 1000)
    files.chmod(0o711)
    (files / "TOKEN").chmod(0o444)
    user = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "env")
    assert pyinit.run("--secret", f"TOKEN={files}/TOKEN", "--", *SHOW, wrapper=user)[:2] == (0, "|two\nlines\n|")


def test_a_secret_may_be_a_descriptor(pyinit: Pyinit, tmp_path: Path) -> None:
    """Of a file that has no name any more: its link in /proc leads to it all the same."""
    (tmp_path / "file").write_text("value\n")
    shell = ("sh", "-c", 'exec 3<file; rm file; exec "$@"', "sh")
    for path in ("/dev/fd/3", "/proc/self/fd/3"):
        (tmp_path / "file").write_text("value\n")
        assert pyinit.run("--secret", f"TOKEN={path}", "--", *SHOW, wrapper=shell, cwd=tmp_path)[:2] == (0, "|value|")


def test_who_is_not_root_follows_any_link(shared_pyinit: Pyinit) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "file").write_text("value\n")
        (Path(directory) / "link").symlink_to("file")
        os.chown(directory, 1000, 1000)
        command = ("--secret", f"TOKEN={directory}/link", "--", *SHOW)
        user = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
        assert shared_pyinit.run(*command, wrapper=user)[:2] == (0, "|value|")
        assert shared_pyinit.run(*command)[:2] == (2, "")
