"""Words and variables in, Settings out."""

import posix

from pyinit.settings import LAUNCHED_AS, Settings, personality


def choose(arguments: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """The settings of a run. The first of `arguments`, our name, says whose command line it is. Raises Fatal."""
    name, words = personality(arguments[0]), arguments[1:]
    is_launched = "".join(words[:1]).startswith(LAUNCHED_AS)
    if name == "fixuid" or is_launched or posix.geteuid() != posix.getuid():
        from pyinit.options import fixuid

        return fixuid.read(arguments, is_launched)
    if name in ("gosu", "su-exec"):
        from pyinit.options import stepping_down

        return stepping_down.read(name, words)
    if name:
        from pyinit.options import inits

        return inits.read(name, words, environment)
    from pyinit.options import parser

    return parser.read(words, environment)
