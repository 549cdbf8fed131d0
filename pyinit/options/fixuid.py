"""The command line of a set-user-ID start, and of one under fixuid's name: it says which program runs, and no more.

Whoever started us may be hostile. What is done, pyinit.options.fixuid_config says; pyinit.identity.launched does it.
"""

import posix

from pyinit.kernel import IS_STANDALONE
from pyinit.options import fixuid_config, parser, table
from pyinit.settings import INFO, LAUNCHED_AS, WARNING, Settings
from pyinit.tell import Fatal

USAGE = "usage: fixuid [-q] [COMMAND [ARGUMENT...]]; the rest is said in /etc/fixuid/config.yml"


def read(arguments: "list[str]", is_launched: bool) -> Settings:
    """The settings of a set-user-ID start, or of one under fixuid's name. Options and variables count for nothing.

    `is_launched`: the first word is the launcher's, and says the name that it was started under.

    Raises Fatal: with status 2 for a command line that cannot be read, with 1 for a configuration that is no good.
    """
    path, *words = arguments
    if is_launched:
        path = words.pop(0)[len(LAUNCHED_AS) :]
    name = path.rpartition("/")[2]
    verbosity = WARNING
    if name == "fixuid":
        verbosity, program = _fixuids_words(words)
        if verbosity < 0:
            return Settings(personality="fixuid", answer="help")
    else:
        try:
            given, program = parser.parse(words)
            for asked in ("help", "version", "license"):
                if asked in given:
                    return Settings(answer=asked)
        except ValueError as error:
            raise Fatal(str(error), 2, table.USAGE) from None
    if posix.geteuid() != 0:
        raise Fatal(
            "not root: fixuid has to be the launcher (docker/launcher) or the standalone file, root's, mode 4755, "
            "without no-new-privileges, on a mount without nosuid",
            1,
        )
    account, group, paths = fixuid_config.read()
    return Settings(
        answer="" if program else "home",
        dotted=is_launched or (IS_STANDALONE and posix.geteuid() != posix.getuid()),
        exec=name == "fixuid",
        failure_status=1 if name == "fixuid" else 0,  # as fixuid has it
        match=f"{posix.getuid()}:{posix.getgid()}",
        own=paths,
        personality="fixuid" if name == "fixuid" else "pyinit",
        program=tuple(program),
        set_user_id=True,
        user=f"{account}:{group}",
        verbosity=verbosity,
    )


def _fixuids_words(words: "list[str]") -> "tuple[int, list[str]]":
    """The level and the command of `fixuid [-q] [COMMAND...]`, read as Go's flags are; the level is -1 for --help."""
    verbosity = INFO
    while words[:1] in (["-q"], ["--q"]):
        verbosity, words = WARNING, words[1:]
    if words[:1] == ["--"]:
        return verbosity, words[1:]
    if words and words[0].startswith("-") and words[0] != "-":
        if words[0].lstrip("-") in ("h", "help"):
            return -1, []
        raise Fatal(f"unknown option {words[0]}", 2, USAGE)
    return verbosity, words
