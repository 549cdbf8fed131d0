"""The life of a container, in order. The zipapp, `python -m pyinit` and the installed `pyinit` all start here."""

import _signal
import posix
import sys

from pyinit import boot, prepare
from pyinit.settings import Settings, personality, without_parser
from pyinit.start import changed, spawn
from pyinit.supervise import loop
from pyinit.supervise.run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyinit.boot import Inherited
    from pyinit.start import Start


_AS_IF_KILLED = 128 + _signal.SIGKILL


def main(mask: "set[int] | None" = None, keep: "Callable[[], None]" = lambda: None) -> None:
    """Run, and end with the exit status. Nothing is left to clean up, so the interpreter's own end is skipped.

    `mask` is the signal mask that was found, if every signal is blocked already: the shipped file does that first.
    `keep` reads what may be imported while the program runs.
    """
    if mask is None:
        from pyinit.loader import block_signals

        mask = block_signals()
    posix._exit(life(sys.argv, mask, keep))


def life(arguments: "list[str]", mask: "set[int]", keep: "Callable[[], None]") -> int:
    """Stage by stage: each takes what the one before made. Returns the exit status."""
    run = None
    try:
        inherited = boot.take_over(mask)
        plain = without_parser(arguments, inherited.environment)
        settings = plain or chosen(arguments, inherited.environment)
        if settings.answer:
            return answered(settings, inherited)
        if not plain:  # there may be long work before the program
            keep()
        run = Run(settings)
        if inherited.has_threads:
            run.events.has_threads()
        start = prepare.prepare(run, inherited)
        begin(run, start)
    except Exception as error:
        status = failed(error, run, personality(arguments[0]))
        if run:
            leave(run)
        return status
    settle(keep if plain else None, settings)
    status = loop.supervise(run)
    end(run, start)
    if run.watched:  # and what writes it is there
        run.events.ended(status)
    return status


def settle(keep: "Callable[[], None] | None", settings: Settings) -> None:
    """What can wait until the program starts, and happens at the same time. Nothing of it may end PID 1 now."""
    try:
        if keep:
            keep()
        spawn.let_go(keep_descriptors=bool(settings.after))
    except Exception:  # what is not kept is read when it is needed, if it still can be
        pass


def chosen(arguments: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """The settings of this run, where there is something to parse."""
    from pyinit import options

    return options.choose(arguments, environment)


def answered(settings: Settings, inherited: "Inherited") -> int:
    """A question is answered, and nothing is touched; but for the home that fixuid has a shell ask for."""
    from pyinit.options import answers

    if settings.answer != "home":
        return answers.show(settings.answer, settings.personality)
    return answers.show_home(prepare.prepare(Run(settings), inherited).environment)


def begin(run: Run, start: "Start") -> None:
    """Start the program, if there is one, and what comes before it."""
    settings = run.settings
    if settings.orphans == "end":
        from pyinit.supervise import orphans

        orphans.begin(run)
    if settings.setup or settings.before or settings.after:
        from pyinit.prepare import hooks

        hooks.set_up(run, start)
    if start.identity:
        start.identity.take_right_to_signal(run.settings, run.log)
    if settings.before:
        hooks.before(run, start)
    if start.secrets:
        from pyinit.prepare import secrets

        start = changed(start, environment=secrets.applied(start.secrets, start.environment))
    if not settings.pause:
        run.program_pid = spawn.start(start)
        if run.watched:
            run.events.write("spawn", pid=run.program_pid, program=settings.program)


def end(run: Run, start: "Start") -> None:
    """What comes after the program. Its status is decided: nothing that happens now may change it."""
    settings = run.settings
    try:
        signal = posix.WTERMSIG(run.wait_status)  # 0 if it ended by none
        by_us = run.killed or run.sent >> signal & 1
        if signal and not by_us:
            run.events.died(signal, posix.WCOREDUMP(run.wait_status))
        elif run.status == _AS_IF_KILLED and not by_us:
            run.events.ended_as_if_killed()
        if run.terminal:
            run.terminal.take_back(run.program_pid)
        if settings.end_group:
            from pyinit.kernel import processes

            processes.signal_group(run.program_pid, settings.stop_sent)
        if settings.wait_all:
            from pyinit.supervise import drain

            drain.wait_for_all(run)
        if settings.after:
            from pyinit.prepare import hooks

            hooks.after(run, start)
        if run.program_pid:
            leave(run)
    except Exception as error:
        try:
            run.log.error(f"internal error after the program's end: {type(error).__name__}: {error}")
        except Exception:  # no memory to say it
            pass


def leave(run: Run) -> None:
    """End what is left, of the program or of commands before it."""
    if run.settings.grace and (run.program_pid or run.settings.setup or run.settings.before) and run.is_somebody_left():
        from pyinit.supervise import drain

        drain.drain(run)


def failed(error: Exception, run: "Run | None", name: str) -> int:
    """Say in one line why the program was not started. Returns the exit status."""
    try:
        from pyinit.tell import failure

        events = run.events if run and run.watched else None
        return failure.tell(error, run.settings if run else None, events, name)
    except Exception:  # no memory, or no file any more
        posix.write(2, b"pyinit: %s\n" % (str(error) or "no memory").encode("ascii", "backslashreplace"))
        return 1


if __name__ == "__main__":
    main()
