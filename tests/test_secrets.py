"""Secret files become variables of the program, and of nothing else."""

import os
from pathlib import Path

import pytest

from tests.identity_support import Etc
from tests.support import Pyinit

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


def test_f49_x_and_x_file_both_set_is_an_error(pyinit: Pyinit, files: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PASSWORD_FILE": f"{files}/PASSWORD", "PASSWORD": "other"}
    status, output, errors = pyinit.run("--expand-file-vars", "--", "echo", "started", env=environment)
    assert (status, output) == (2, "")
    assert errors == "pyinit: --expand-file-vars: PASSWORD and PASSWORD_FILE are both set; only one can count\n"


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


def wrong_name(directory: Path) -> None:
    (directory / "db-password").write_text("secret value")


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
        (wrong_name, "--secrets: 'db-password' cannot be a variable"),
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
