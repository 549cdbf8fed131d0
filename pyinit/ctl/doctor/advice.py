"""How to say a change in the words of the init that is there."""

from pyinit.ctl.doctor.patient import Patient, short_name
from pyinit.settings import Settings

USE_PYINIT = 'make pyinit PID 1: ENTRYPOINT ["/pyinit", "--"]'

REWRITES = ("pyinit", "dumb-init")  # who has -r


def send_instead(patient: Patient, number: int) -> str:
    """How the receiver of the stop gets another signal than it does."""
    stop, settings = patient.stop, patient.stop.settings
    received = stop.signals[-2] if stop.inits else stop.engines
    image = f"STOPSIGNAL SIG{short_name(number)} in the image"
    if settings is None or settings.personality not in REWRITES:
        return f'{image}; or ENTRYPOINT ["/pyinit", "-r", "{short_name(received)}:{short_name(number)}", "--"]'
    name, now = settings.personality, settings.rewrite.get(received)
    wanted = rewriting(name, received, number)
    if now is not None:
        there = rewriting(name, received, now)
        return f"leave out {there}" if number == received else f"{name} {wanted} instead of {there}"
    if name == "pyinit":
        image += f" and pyinit --stop-signal {short_name(number)}"
    return f"{name} {wanted}; or {image}"


def rewriting(init: str, received: int, sent: int) -> str:
    """The option; dumb-init takes numbers alone."""
    if init == "dumb-init":
        return f"-r {received}:{sent}"
    return f"-r {short_name(received)}:{short_name(sent) if sent else 0}"


def signal_group(settings: "Settings | None") -> str:
    """How the whole process group is signalled."""
    name = settings.personality if settings else "pyinit"
    if settings and name in ("tini", "catatonit"):
        return f"let the init signal the process group: {name} -g"
    return f"let the init signal the process group: {name} without -c"


def signal_program_alone(settings: "Settings | None") -> str:
    """How the program alone is signalled."""
    name = settings.personality if settings else "pyinit"
    if settings and name in ("tini", "catatonit"):
        return f"let the init signal the program alone: {name} without -g"
    return f"let the init signal the program alone: {name} -c"
