"""pyinitctl: run a command. Ctrl-C and an output that cannot be written end it with a status, and no traceback."""

import _signal
import io  # these four are there already; whatever else is imported before main() Ctrl-C would find unguarded
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, TextIO

    from _typeshed import ReadableBuffer

CANNOT_WRITE = 2  # as where nothing can be looked at: 1 says that something is wrong
LACKS_MODULES = 2
INTERRUPTED = 130  # 128 + SIGINT, as of a program that it ends
NOBODY_READS = 141  # 128 + SIGPIPE

STANDARD_OUTPUT = "standard output"  # as the name of a file in an error

NEEDED = ("click", "rich")


class StandardOutput(io.BufferedWriter):
    """Says of its errors that they are its own: others have no name of a file either, and other remedies."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = STANDARD_OUTPUT
            raise

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            error.filename = STANDARD_OUTPUT
            raise


class StandardError(io.FileIO):
    """What cannot be written there is lost, and nothing else with it."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            written: "int | None" = super().write(data)
        except OSError:
            written = None
        return len(memoryview(data)) if written is None else written


def main(arguments: "list[str] | None" = None, prog_name: "str | None" = None) -> "NoReturn":
    """Run the command that the words name, and exit with its status."""
    try:
        status = status_of(arguments, prog_name)
        for each in (_signal.SIGINT, _signal.SIGALRM):  # it has ended, and Python's own end has no guard
            _signal.signal(each, _signal.SIG_IGN)
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def status_of(arguments: "list[str] | None", prog_name: "str | None") -> int:
    """Run the command; the status, whatever ends it. Raises KeyboardInterrupt where that comes behind an error."""
    try:
        raise_again_what_cannot_be_raised()
        open_standard_streams()
        end_by_exception()
        status = run(arguments, prog_name)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        status = NOBODY_READS
    except OSError as error:
        if error.filename != STANDARD_OUTPUT:
            raise
        status = CANNOT_WRITE
        print(f"Error: standard output: {error.strerror}", file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        status = LACKS_MODULES
        instead = "python3 -m pyinit.ctl.make FILE builds pyinit's file without it"
        print(f"Error: pyinitctl needs {error.name}, which is not installed; {instead}", file=sys.stderr)
    if status in (CANNOT_WRITE, NOBODY_READS):
        # What is still to be written cannot be, and the interpreter would try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def run(arguments: "list[str] | None", prog_name: "str | None") -> int:
    """The status. Raises KeyboardInterrupt and OSError."""
    import click  # behind the guard: importing all of it takes a while

    from pyinit.ctl.commands import pyinitctl

    stdout = sys.stdout
    try:
        return int(pyinitctl.main(arguments, prog_name, standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as end:
        if sys.stdout is not stdout:  # what click does where nobody reads it, with a status of 1
            raise BrokenPipeError from None
        if not isinstance(end.code, int):
            raise
        return end.code


def raise_again_what_cannot_be_raised() -> None:
    """In a callback, as imports have them, Python says of an exception that it ignores it: Ctrl-C would be lost."""

    def hook(unraisable: "sys.UnraisableHookArgs") -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            _signal.setitimer(_signal.ITIMER_REAL, 0.01)  # the callback is over by then
        else:
            sys.__unraisablehook__(unraisable)

    _signal.signal(_signal.SIGALRM, _signal.default_int_handler)
    sys.unraisablehook = hook


def end_by_exception() -> None:
    from pyinit.ctl import signals  # behind the guard

    signals.end_by_exception()


def open_standard_streams() -> None:
    """Where one is closed a file of ours would take its number, and get what is written there.

    And with PYTHONUNBUFFERED standard output has no buffer, and what a short write leaves would be lost without a word.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):  # the order of the numbers, of which an open takes the lowest
        if stream is None:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = text(StandardOutput(io.FileIO(1, "w", closefd=False)), sys.stdout)
    sys.stderr = text(io.BufferedWriter(StandardError(2, "w", closefd=False)), sys.stderr)


def text(buffer: io.BufferedWriter, like: "TextIO | None") -> io.TextIOWrapper:
    """A stream over a buffer, like one that Python has made; written line by line where that has no buffer."""
    if not isinstance(like, io.TextIOWrapper):
        return io.TextIOWrapper(buffer)
    by_line = like.line_buffering or like.write_through
    return io.TextIOWrapper(buffer, like.encoding, like.errors, line_buffering=by_line)


if __name__ == "__main__":
    main()
