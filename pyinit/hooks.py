"""--before and --after: commands around the program, run as its user, reaped and signalled as it is."""

from pyinit import fork, signal_names, spawn  # noqa: F401  # fork now: our file may be deleted before --after
from pyinit.log import Fatal, Log
from pyinit.settings import Settings
from pyinit.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.boot import Inherited
    from pyinit.identity import Identity
    from pyinit.journal import Journal
    from pyinit.terminal import Terminal

_SPACE = " \t\r\n"


def split(text: str) -> "tuple[str, ...]":
    """The words of a command, as shlex.split finds them (POSIX, 2.2); nothing is expanded and no shell is started.

    Raises ValueError for an open quote, and for no words at all.
    """
    words = []
    word: "str | None" = None  # None between words, since '' is one too
    quote = ""
    characters = iter(text)
    for character in characters:
        if character == quote:
            quote = ""
        elif character == "\\" and quote != "'":
            following = next(characters, "")
            if not following:
                raise ValueError(f"{text!r} ends with a backslash")
            # Within double quotes it stands for itself, except before these two.
            literal = quote == '"' and following not in '"\\'
            word = (word or "") + ("\\" if literal else "") + following
        elif quote:
            word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character not in _SPACE:
            word = (word or "") + character
        elif word is not None:
            words.append(word)
            word = None
    if quote:
        raise ValueError(f"{text!r}: a quotation mark is not closed")
    if word is not None:
        words.append(word)
    if not words or not words[0]:
        raise ValueError(f"{text!r} names no command")
    return tuple(words)


class Hooks:
    """The commands, and what each is started with: all that the program gets, but for secrets."""

    def __init__(
        self,
        settings: Settings,
        environment: "dict[bytes, bytes]",
        inherited: "Inherited",
        identity: "Identity | None",
        terminal: "Terminal | None",
        log: Log,
        journal: "Journal | None",
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._inherited = inherited
        self._identity = identity
        self._terminal = terminal
        self._log = log
        self._journal = journal

    def before(self) -> None:
        """Run each command of --before to success. Raises Fatal with the status of one that fails.

        A TERM or INT goes to the command that runs, and ends the start: raises Fatal with 143 or 130.
        """
        for command in self._settings.before:
            status, asked_to_end = self._run(command, self._environment)
            why = f"status {status}"
            if asked_to_end:
                status = 128 + asked_to_end
                why = f"ended by {signal_names.name(asked_to_end)}"
            if status:
                raise Fatal(f"--before {list(command)}: {why}, so the program is not started", status)

    def after(self, status: int) -> None:
        """Run each command of --after, which finds the program's status in PYINIT_STATUS. It stays what it is."""
        environment = {**self._environment, b"PYINIT_STATUS": b"%d" % status}
        for command in self._settings.after:
            try:
                status, _ = self._run(command, environment)
                if status:
                    self._log.warning(f"--after {list(command)}: status {status}")
            except Fatal as error:
                self._log.error(error.message)

    def _run(self, command: "tuple[str, ...]", environment: "dict[bytes, bytes]") -> "tuple[int, int]":
        """Run a command to its end: its status, and the signal by which somebody asked for that, or 0."""
        settings = Settings(**{**vars(self._settings), "program": command, "wait_all": False, "remap_exit": {}})
        supervisor = Supervisor(settings, self._terminal, self._log, self._journal)
        pid = spawn.start(settings, environment, self._inherited, self._identity, self._terminal, self._log)
        if self._journal:
            self._journal.write("spawn", pid=pid, program=command)
        return supervisor.run(pid), supervisor.asked_to_end
