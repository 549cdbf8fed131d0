"""The life of a container, in order. The zipapp, `python -m pyinit` and the installed `pyinit` all start here."""

import posix
import sys

from pyinit import boot, spawn
from pyinit.log import Fatal, Log
from pyinit.settings import PERSONALITIES, Settings, without_parser
from pyinit.supervisor import Supervisor


def main() -> None:
    """Run, and end with the exit status. Nothing is left to clean up, so the interpreter's own end is skipped."""
    posix._exit(run(sys.argv, Log()))


def run(arguments: "list[str]", log: Log) -> int:
    """One run, stage by stage. Each takes what the one before made. Returns the exit status."""
    journal = identity = None
    failure_status = 0
    try:
        inherited = boot.take_over()
        settings = choose(arguments, inherited.environment)
        if settings.answer and not settings.user:
            from pyinit import help

            return help.show(settings.answer, settings.personality)
        log.level = settings.verbosity
        failure_status = settings.failure_status
        if settings.events:
            from pyinit.journal import Journal

            journal = Journal(settings.events)
            journal.write("start", pid=posix.getpid(), arguments=arguments)
        if posix.getpid() != 1 or settings.parent_death_signal:
            from pyinit import prepare

            prepare.adopt_orphans(settings, log)
            prepare.watch_parent(settings, inherited.parent)
        if settings.user or settings.no_new_privileges or settings.drop_capabilities or settings.keep_capabilities:
            from pyinit.identity import prepare as identify

            identity = identify(settings, inherited.environment, log)
            if settings.answer:
                from pyinit import help

                return help.show_home(inherited.environment, identity.environment)
        terminal = spawn.controlling_terminal(settings.session)
        # Made before the fork: after it every page that is written to is copied first, which is slow.
        supervisor = Supervisor(settings, terminal, log, journal)
        program_pid = 0 if settings.pause else spawn.start(settings, inherited, identity, terminal, log)
    except Fatal as error:
        log.error(error.message)
        if error.usage:
            log.error(error.usage)
        status = failure_status or error.status
        if journal:
            journal.write("ended", status=status, error=error.message)
        return status
    except Exception as error:  # a fault of ours: still one line, and never a traceback
        log.error(f"internal error before the program started: {type(error).__name__}: {error}")
        return 1
    if journal and program_pid:
        journal.write("spawn", pid=program_pid, program=settings.program)
    status = supervisor.run(program_pid)
    if journal:
        journal.write("ended", status=status)
    return status


def choose(arguments: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """The settings of this run. A parser is loaded only if there is something to parse."""
    if posix.geteuid() != posix.getuid() or arguments[0].rpartition("/")[2] in PERSONALITIES:
        from pyinit import personalities

        return personalities.read(arguments, environment)
    settings = without_parser(arguments[1:], environment)
    if settings is None:
        from pyinit import command_line

        settings = command_line.read(arguments[1:], environment)
    return settings


if __name__ == "__main__":
    main()
