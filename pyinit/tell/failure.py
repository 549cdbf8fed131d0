"""Why the program was not started: one line, and the exit status."""

from pyinit.settings import ERROR, WARNING
from pyinit.tell import Fatal
from pyinit.tell.log import Log, Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.settings import Settings
    from pyinit.tell.events import Events


def tell(error: Exception, settings: "Settings | None", events: "Events | None", name: str) -> int:
    """Say it to people, and to the journal if there is one. `name` is the init under whose name we run.

    Without settings it is about those, and every verbosity shows it. Returns the exit status.
    """
    log = Log(settings.verbosity if settings else WARNING, name, last_words=True)
    if isinstance(error, Fatal):
        message, status = error.message, error.status
    elif isinstance(error, ImportError):
        message, status = f"cannot load: {error}", 1
    else:  # a fault of ours: still one line, and never a traceback
        message, status = f"internal error before the program started: {type(error).__name__}: {error}", 1
    if isinstance(error, Fatal) and error.others_words:
        log.words = Words(forms=("",))
        for line in error.others_words:
            log.write(ERROR, line)
    else:
        log.write(ERROR, message)
        if isinstance(error, Fatal) and error.usage:
            log.write(ERROR, error.usage)
    status = (settings.failure_status if settings else 0) or status
    if events:
        events.ended(status, error=message)
    return status
