"""The life of a container, in order. The zipapp, `python -m pyinit` and the installed `pyinit` all start here."""

import posix
import sys

from pyinit import boot, spawn
from pyinit.log import WARNING, Fatal, Log
from pyinit.settings import LAUNCHED_AS, Settings, personality, without_parser
from pyinit.supervisor import Supervisor


def main() -> None:
    """Run, and end with the exit status. Nothing is left to clean up, so the interpreter's own end is skipped."""
    posix._exit(run(sys.argv, Log()))


def run(arguments: "list[str]", log: Log) -> int:
    """One run, stage by stage. Each takes what the one before made. Returns the exit status."""
    journal = identity = secret = hooks = None
    failure_status = 0
    try:
        inherited = boot.take_over()
        environment = inherited.environment
        settings = choose(arguments, environment, log)
        if settings.answer and not settings.user:
            from pyinit import help

            return help.show(settings.answer, settings.personality)
        log.level = settings.verbosity
        failure_status = settings.failure_status
        if settings.events:
            from pyinit.journal import Journal

            journal = Journal(settings.events)
        elif settings.verbosity > WARNING and log.cannot_run:  # under the name of another init
            from pyinit.narration import narrator

            journal = narrator(settings, log)
        if journal:
            journal.write("start", pid=posix.getpid(), arguments=arguments)
        if settings.secrets or settings.secret or settings.expand_file_vars:
            from pyinit import secrets

            secret = secrets.read(settings, environment)
        if posix.getpid() != 1 or settings.parent_death_signal:
            from pyinit import prepare

            prepare.adopt_orphans(settings, log)
            prepare.watch_parent(settings, inherited.parent)
        if settings.user or settings.no_new_privileges or settings.drop_capabilities or settings.keep_capabilities:
            from pyinit.identity import prepare as identify

            identity = identify(settings, environment, log)
            if settings.answer:
                from pyinit import help

                return help.show_home(identity.environment)
            environment = identity.environment
        terminal = spawn.controlling_terminal(settings.session)
        # Made before the fork: after it every page that is written to is copied first, which is slow.
        supervisor = Supervisor(settings, terminal, log, journal)
        if settings.before or settings.after:
            from pyinit.hooks import Hooks

            hooks = Hooks(settings, environment, inherited, identity, terminal, log, journal)
            hooks.before()
        if secret:
            environment = secrets.applied(secret, environment)
        program_pid = 0
        if not settings.pause:
            program_pid = spawn.start(settings, environment, inherited, identity, terminal, log)
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
    try:
        if hooks:
            hooks.after(supervisor.status)
        if settings.grace and program_pid and (hooks or not supervisor.childless):
            from pyinit import drain

            drain.run(supervisor, settings.grace, log, journal)
    except Exception as error:  # the status is decided: nothing that happens now may change it
        log.error(f"internal error after the program's end: {type(error).__name__}: {error}")
    if journal:
        journal.write("ended", status=status)
    return status


def choose(arguments: "list[str]", environment: "dict[bytes, bytes]", log: Log) -> Settings:
    """The settings of this run. A parser is loaded only if there is something to parse."""
    if personality(arguments[0]) or LAUNCHED_AS in environment or posix.geteuid() != posix.getuid():
        from pyinit import personalities

        return personalities.read(arguments, environment, log)
    settings = without_parser(arguments[1:], environment)
    if settings is None:
        from pyinit import command_line

        settings = command_line.read(arguments[1:], environment)
    return settings


if __name__ == "__main__":
    main()
