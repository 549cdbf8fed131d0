"""--setup, --before and --after: commands around the program, reaped and signalled as it is.

Those before and after it run as its user, those of --setup as who we are. None of them sees a secret.
"""

import posix

from pyinit.settings import Settings
from pyinit.start import changed, fork, spawn  # noqa: F401  # now: our file may be deleted before --after
from pyinit.supervise import loop
from pyinit.supervise.run import Run
from pyinit.tell import Fatal, signal_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.start import Start


def set_up(run: Run, start: "Start") -> None:
    """Run each command of --setup, as who we are, to success. Raises Fatal with the status of one that fails.

    A signal that asks to end goes to the command that runs, and ends the start: raises Fatal with 128 + that.
    """
    settings = _with(run.settings, exec=False)
    as_we_are = changed(start, settings=settings, identity=None, environment=start.inherited.environment)
    for command in run.settings.setup:
        _run_to_success(run, as_we_are, "--setup", command)


def before(run: Run, start: "Start") -> None:
    """Run each command of --before, as the program's user. Otherwise as `set_up`."""
    for command in run.settings.before:
        _run_to_success(run, start, "--before", command)


def _run_to_success(run: Run, start: "Start", option: str, command: "tuple[str, ...]") -> None:
    hook = _run(run, start, command)
    status, why = hook.status, f"status {hook.status}"
    if hook.stop:
        status, why = 128 + hook.stop, f"ended by {signal_names.name(hook.stop)}"
    if status:
        raise Fatal(f"{option} {list(command)}: {why}, so the program is not started", status)


def after(run: Run, start: "Start") -> None:
    """Run each command of --after, which finds the program's status in PYINIT_STATUS. It stays what it is."""
    if start.directory >= 0:
        posix.fchdir(start.directory)  # PID 1 itself has left it
    start = changed(start, environment={**start.environment, b"PYINIT_STATUS": b"%d" % run.status})
    for command in run.settings.after:
        try:
            hook = _run(run, start, command)
            if hook.stop and not run.stop:
                run.stop, run.stopped_at = hook.stop, hook.stopped_at
            if hook.status:
                run.log.warning(f"--after {list(command)}: status {hook.status}")
        except Fatal as error:
            run.log.error(error.message)
    run.childless = False


def _with(settings: Settings, **changes: object) -> Settings:
    return Settings(**{**vars(settings), **changes})


def _run(owner: Run, start: "Start", command: "tuple[str, ...]") -> Run:
    """Run a command to its end."""
    run = Run(_with(owner.settings, remap_exit={}), owner)
    run.terminal = start.terminal
    run.program_pid = spawn.start(changed(start, words=command))
    if owner.watched:
        owner.events.write("spawn", pid=run.program_pid, program=command)
    loop.supervise(run)
    if run.terminal:
        run.terminal.take_back(run.program_pid)
    return run
