"""Under the name of gosu or su-exec: become the command as that user. Imported only under such a name."""

from pyinit import __version__
from pyinit.settings import Settings
from pyinit.tell import Fatal

USAGES = {
    "gosu": "usage: gosu USER-SPEC COMMAND [ARGUMENT...], such as: gosu nobody:root id",
    "su-exec": "usage: su-exec USER-SPEC COMMAND [ARGUMENT...], such as: su-exec nobody:root id",
}


def read(name: str, words: "list[str]") -> Settings:
    """The settings of USER-SPEC COMMAND [ARGUMENT...]. Raises Fatal; every failure is status 1.

    With too few words su-exec shows its usage and ends with 0.
    """
    if name == "gosu" and words[:1] in (["--help"], ["-h"], ["-?"]):
        return Settings(personality=name, answer="help")
    if name == "gosu" and words[:1] in (["--version"], ["-v"]):
        return Settings(personality=name, answer="version")
    if len(words) < 2:
        if name == "su-exec":
            return Settings(personality=name, answer="help")
        raise Fatal("a user and a command are needed", 1, USAGES[name])
    user = words[0]
    if user.count(":") > 1:
        raise Fatal(f"{user!r} names nobody: USER, USER:GROUP or :GROUP, by name or number", 1)
    return Settings(
        personality=name,
        user=user if user.strip(":") else "0",  # as both have it
        program=tuple(words[1:]),
        exec=True,
        as_gosu=True,
        failure_status=1,
    )


def answer(asked: str, name: str) -> str:
    """What `--help` and `--version` show."""
    return (f"pyinit {__version__}" if asked == "version" else USAGES[name]) + "\n"
