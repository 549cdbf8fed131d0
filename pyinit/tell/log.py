"""Messages for people, one line each, on standard error. Writing them never blocks and never raises."""

import posix

from pyinit.settings import ERROR, INFO, WARNING


class Words:
    """How things are said. Under the name of another init they are its own."""

    def __init__(
        self,
        forms: "tuple[str, ...]" = ("pyinit: ",),
        cannot_run: str = "",
        reaped: str = "reaped orphan {} ({}), status {}",
    ) -> None:
        self.forms = forms  # what is before a message, by level; {} is our pid
        self.cannot_run = cannot_run  # a program {} for a reason {}
        self.reaped = reaped


OURS = Words()
OF_OTHERS = {
    "tini": Words(
        tuple(f"[{level} tini ({{}})] " for level in ("FATAL", "WARN ", "INFO ", "DEBUG", "TRACE")),
        "exec {} failed: {}",
        "Reaped zombie process with pid={}",
    ),
    "dumb-init": Words(("[dumb-init] ",), "{}: {}", "Reaped zombie process with pid={}"),
    "catatonit": Words(
        tuple(f"{level} (catatonit:{{}}): " for level in ("ERROR", "WARN", "INFO", "DEBUG")),
        "failed to exec pid1: {1}",
        "Reaped zombie process with pid={}",
    ),
}


class Log:
    """Writes messages up to a level to standard error, as `pyinit: MESSAGE`."""

    def __init__(self, level: int = WARNING, name: str = "pyinit", last_words: bool = False) -> None:
        """`name` is the init under whose name we run. With `last_words` a line that fails is tried again without any
        module: no program waits for us."""
        self.level = level
        self._last_words = last_words
        self.words = OF_OTHERS.get(name, OURS)
        self._descriptor = -1

    @property
    def has_own_words(self) -> bool:
        """Whether we speak as another init does."""
        return self.words is not OURS

    def open(self) -> None:
        """Find the descriptor that a write does not block on, as whoever we are now."""
        from pyinit.kernel import descriptors

        if self._descriptor < 0:
            self._descriptor = descriptors.without_blocking(2)

    def write(self, level: int, message: str) -> None:
        """Write one line if `level` is shown. A line that cannot be written is dropped: signals matter more."""
        if level > self.level:
            return
        try:
            from pyinit.kernel import descriptors  # most runs have nothing to say
            from pyinit.tell import text

            self.open()
            form = self.words.forms[min(level, len(self.words.forms) - 1)].format(posix.getpid())
            descriptors.write_now(self._descriptor, text.encode(f"{form}{text.printable(message)}\n"))
        except BlockingIOError:
            pass
        except Exception:  # closed, no memory, or an interpreter whose files were deleted meanwhile
            if self._last_words:
                try:
                    posix.write(2, b"pyinit: %a\n" % message)
                except OSError:
                    pass

    def error(self, message: str) -> None:
        self.write(ERROR, message)

    def warning(self, message: str) -> None:
        self.write(WARNING, message)

    def info(self, message: str) -> None:
        self.write(INFO, message)
