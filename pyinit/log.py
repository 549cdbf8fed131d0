"""Messages for people, one line each, on standard error. Writing them never blocks and never raises."""

import posix

ERROR, WARNING, INFO = range(3)  # tini's levels: -v shows one more, -q one less


class Fatal(Exception):
    """Ends the run before the program starts.

    `message` is the line for standard error, `status` the exit status. `usage` is a second line. `reason` is what the
    kernel said about a program that cannot be executed.
    """

    def __init__(self, message: str, status: int, usage: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.usage = usage
        self.reason = reason


class Log:
    """Writes messages up to a level to standard error, as `pyinit: MESSAGE`."""

    def __init__(self, level: int = WARNING) -> None:
        self.level = level
        self.forms: "tuple[str, ...]" = ("pyinit: ",)  # what is before a message, by level; {} is our pid
        self.cannot_run = ""  # a program {} for a reason {}, as the init under whose name we run says it
        self.last_words = True  # a line that fails is tried again without any module: no program waits for us
        self.reaped = "reaped orphan {} ({}), status {}"
        self._descriptor = -1

    def write(self, level: int, text: str) -> None:
        """Write one line if `level` is shown. A line that cannot be written is dropped: signals matter more."""
        if level > self.level:
            return
        try:
            from pyinit import message  # most runs have nothing to say

            if self._descriptor < 0:
                self._descriptor = message.without_blocking(2)
            form = self.forms[min(level, len(self.forms) - 1)].format(posix.getpid())
            message.write_now(self._descriptor, message.encode(f"{form}{message.printable(text)}\n"))
        except BlockingIOError:
            pass
        except Exception:  # no descriptor, no memory, or an interpreter whose files were deleted meanwhile
            if self.last_words:
                try:
                    posix.write(2, b"pyinit: %a\n" % text)
                except OSError:
                    pass

    def error(self, message: str) -> None:
        self.write(ERROR, message)

    def warning(self, message: str) -> None:
        self.write(WARNING, message)

    def info(self, message: str) -> None:
        self.write(INFO, message)
