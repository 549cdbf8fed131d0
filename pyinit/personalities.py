"""Started under another tool's name: its command line, our Settings. Imported only under such a name.

A symbolic link or a copy with the name is enough, so that an image switches by replacing one file.
"""

import posix

from pyinit.log import Fatal
from pyinit.settings import LAUNCHED_AS, PERSONALITIES, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def read(arguments: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """The settings of a run under the name `argv[0]`, one of PERSONALITIES, or of a set-user-ID one. Raises Fatal."""
    name = PERSONALITIES.get(arguments[0].rpartition("/")[2], "pyinit")
    if name == "fixuid" or LAUNCHED_AS in environment or posix.geteuid() != posix.getuid():
        from pyinit.identity import fixuid

        return fixuid.read(arguments, environment)
    if name in READERS:
        return READERS[name](arguments[1:])
    from pyinit import command_line

    return command_line.read(arguments[1:], environment, name)


def gosu(words: "list[str]") -> Settings:
    """gosu USER-SPEC COMMAND [ARGUMENT...]: become the command as that user; every failure is status 1."""
    if words[:1] in (["--help"], ["-h"], ["-?"]):
        return Settings(personality="gosu", answer="help")
    if words[:1] in (["--version"], ["-v"]):
        return Settings(personality="gosu", answer="version")
    if len(words) < 2:
        raise Fatal("a user and a command are needed", 1, USAGES["gosu"])
    return _become("gosu", words[0], words[1:])


def su_exec(words: "list[str]") -> Settings:
    """su-exec USER-SPEC COMMAND [ARGUMENT...]: the same; without both it shows its usage and ends with 0."""
    if len(words) < 2:
        return Settings(personality="su-exec", answer="help")
    return _become("su-exec", words[0], words[1:])


def _become(name: str, user: str, program: "list[str]") -> Settings:
    if user.count(":") > 1:
        raise Fatal(f"{user!r} names nobody: USER, USER:GROUP or :GROUP, by name or number", 1)
    return Settings(
        personality=name,
        user=user if user.strip(":") else "0",  # as both have it
        program=tuple(program),
        exec=True,
        as_gosu=True,
        failure_status=1,
    )


READERS: "dict[str, Callable[[list[str]], Settings]]" = {
    "gosu": gosu,
    "su-exec": su_exec,
}

USAGES = {
    "fixuid": "usage: fixuid [-q] [COMMAND [ARGUMENT...]]; the rest is said in /etc/fixuid/config.yml",
    "gosu": "usage: gosu USER-SPEC COMMAND [ARGUMENT...], such as: gosu nobody:root id",
    "su-exec": "usage: su-exec USER-SPEC COMMAND [ARGUMENT...], such as: su-exec nobody:root id",
}
