"""Under the name gosu pyinit does what gosu does: the same scenario for both, and the same result.

Error messages are in each one's own words; both say them on standard error. One difference is meant: the primary group
is among the supplementary groups, as initgroups(3) has it, which gosu leaves out. `id` shows the same for both.
"""

import os
import shutil
import subprocess

import pytest

from tests.support import NAMESPACE, Pyinit
from tests.support.identity import Etc

TELL = "id; echo $$; sed -n '/^Sig[^Q]/p;/^NoNew/p;/^Cap/p' /proc/self/status; env | sort; umask; pwd"

SCENARIOS = {
    "name": ["dev", "sh", "-c", TELL],
    "number with an account": ["1000", "sh", "-c", TELL],
    "number without an account": ["4242", "sh", "-c", TELL],
    "name and group": ["dev:staff", "sh", "-c", TELL],
    "name and number of a group": ["dev:5555", "sh", "-c", TELL],
    "numbers": ["4242:4343", "sh", "-c", TELL],
    "number and group": ["4242:staff", "sh", "-c", TELL],
    "name and empty group": ["dev:", "sh", "-c", TELL],
    "group alone": [":staff", "sh", "-c", TELL],
    "root": ["root", "sh", "-c", TELL],
    "zero": ["0", "sh", "-c", TELL],
    "root and group": ["root:staff", "sh", "-c", TELL],
    "leading zeros": ["0033", "sh", "-c", TELL],
    "account without login": ["www-data", "sh", "-c", TELL],
    "nobody": ["nobody", "sh", "-c", TELL],
    "status": ["dev", "sh", "-c", "exit 42"],
    "signal": ["dev", "sh", "-c", "kill -9 $$"],
    "arguments": ["dev", "printf", "%s|", "a b", "", "-x", "--", "*"],
    "options of the command": ["dev", "ls", "-d", "/"],
    "absolute path": ["dev", "/bin/echo", "hello"],
    "command missing": ["dev", "no-such-command"],
    "path missing": ["dev", "/no/such/command"],
    "command not executable": ["dev", "/etc/passwd"],
    "command a directory": ["dev", "/etc"],
    "user missing": ["no-such-user", "id"],
    "group missing": ["dev:no-such-group", "id"],
    "negative number": ["-1", "id"],
    "number too large": ["99999999999", "id"],
    "option-like user": ["-x", "id"],
    "two dashes": ["--", "dev", "id"],
    "no arguments": [],
    "user alone": ["dev"],
    "empty user": ["", "id"],
    "help": ["--help"],
    "short help": ["-h"],
    "version": ["--version"],
    "short version": ["-v"],
}
# Whose words on standard output are each one's own.
OWN_WORDS = {"help", "short help", "version", "short version"}


def outcome(command: "list[str]", etc: Etc, name: str) -> "tuple[int, str, bool]":
    environment = {"PATH": os.environ["PATH"], "HOME": "/old", "USER": "old", "X": "1"}
    done = subprocess.run(
        [*NAMESPACE, *etc.mounted, *command],
        env=environment,
        capture_output=True,
        text=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, "" if name in OWN_WORDS else done.stdout, bool(done.stderr)


@pytest.mark.parametrize("name", SCENARIOS)
def test_pyinit_does_what_gosu_does(pyinit: Pyinit, etc: Etc, name: str) -> None:
    gosu = shutil.which("gosu")
    if gosu is None:
        if os.environ.get("TESTS_PYINIT_REQUIRE_CONTAINERS") == "1":
            pytest.fail("gosu is not installed")
        pytest.skip("gosu is not installed")
    theirs = outcome([gosu, *SCENARIOS[name]], etc, name)
    ours = outcome([str(pyinit.named("gosu").file), *SCENARIOS[name]], etc, name)
    assert ours == theirs


@pytest.mark.parametrize(
    ("arguments", "status", "output"),
    [
        (
            ["dev", "sh", "-c", "id -u; id -g; id -G; echo $HOME $USER $$"],
            0,
            "1000\n1000\n1000 27 44\n/home/dev old 1\n",
        ),
        (["dev:staff", "id"], 0, "uid=1000(dev) gid=50(staff) groups=50(staff)\n"),
        (["4242", "sh", "-c", "id -u; id -g; echo $HOME"], 0, "4242\n0\n/\n"),
        (["dev", "no-such-command"], 1, ""),
        (["no-such-user", "id"], 1, ""),
        (["dev:no-such-group", "id"], 1, ""),
    ],
)
def test_pyinit_does_what_su_exec_documents(
    pyinit: Pyinit, etc: Etc, arguments: "list[str]", status: int, output: str
) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/old", "USER": "old"}
    done = pyinit.named("su-exec").run(*arguments, wrapper=etc.mounted, env=environment)
    assert done[:2] == (status, output)


@pytest.mark.parametrize("name", ["gosu", "su-exec"])
def test_who_is_not_root_cannot_switch_and_the_command_does_not_run(shared_pyinit: Pyinit, name: str) -> None:
    """As another user it would run with rights that nobody meant; who is that user already need not switch."""
    as_nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    ours = shared_pyinit.named(name)
    status, output, errors = ours.run("root", "id", wrapper=as_nobody)
    assert (status, output) == (1, "")
    assert errors.endswith(": cannot switch to 'root': not root\n")
    assert ours.run("65534:65534", "id", "-u", wrapper=as_nobody) == (0, "65534\n", "")


@pytest.mark.parametrize("name", ["gosu", "su-exec"])
def test_a_user_with_two_groups_is_nobody(pyinit: Pyinit, name: str) -> None:
    status, output, errors = pyinit.named(name).run("a:b:c", "id")
    assert (status, output) == (1, "")
    assert errors.endswith("'a:b:c' names nobody: USER, USER:GROUP or :GROUP, by name or number\n")


def test_su_exec_without_arguments_shows_its_usage(pyinit: Pyinit) -> None:
    status, output, _ = pyinit.named("su-exec").run()
    assert status == 0
    assert output.startswith("usage: su-exec USER-SPEC COMMAND")
