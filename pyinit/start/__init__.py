"""Starting the program."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from pyinit.boot import Inherited
    from pyinit.identity import Identity
    from pyinit.settings import Settings
    from pyinit.start.terminal import Terminal

    class Start(Protocol):
        """What a program is started with, or a hook."""

        settings: Settings
        words: tuple[str, ...]
        environment: dict[bytes, bytes]
        directory: int  # for commands after the program: the working directory as it was, -1 if there are none
        secrets: dict[bytes, bytes | None]  # the program's alone: what changes in its environment
        inherited: Inherited
        identity: Identity | None
        terminal: Terminal | None


# types.SimpleNamespace: a class of our own would take 25 us of each start.
start_of = type(sys.implementation)


def changed(start: "Start", **changes: object) -> "Start":
    """The same, but for these."""
    return start_of(**{**vars(start), **changes})
