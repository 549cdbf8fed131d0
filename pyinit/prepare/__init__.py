"""What is done before the program starts. Each part is loaded if it has anything to do."""

import posix

from pyinit.start import spawn, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.boot import Inherited
    from pyinit.start import Start
    from pyinit.supervise.run import Run


def prepare(run: "Run", inherited: "Inherited") -> "Start":
    """What the program is started with, all of it found, checked and arranged. Raises Fatal."""
    settings, environment, identity = run.settings, inherited.environment, None
    for doubt in settings.doubts:
        run.log.warning(doubt)
    if settings.signal_mask == "none":
        inherited.mask = set()
    secret: "dict[bytes, bytes | None]" = {}
    if settings.secrets or settings.secret or settings.expand_file_vars:
        from pyinit.prepare import secrets

        secret = secrets.read(settings, environment, run.log)
    if posix.getpid() != 1 or settings.parent_death_signal:
        from pyinit.prepare import parent

        parent.arrange(run, inherited.parent)
    limits = settings.no_new_privileges or settings.drop_capabilities or settings.keep_capabilities
    if settings.user or limits or settings.umask >= 0:
        from pyinit.identity import prepare as identify

        identity = identify(settings, environment, run.log)
        environment = identity.environment
    run.terminal = spawn.controlling_terminal(settings.session)
    return start_of(  # type: ignore[call-arg]
        settings=settings,
        words=settings.program,
        environment=environment,
        secrets=secret,
        inherited=inherited,
        identity=identity,
        directory=posix.open(".", posix.O_PATH | posix.O_CLOEXEC) if settings.after else -1,
        terminal=run.terminal,
    )
