"""One process, seen from outside its PID namespace through /proc (man 5 proc)."""

import os
import signal
from pathlib import Path

SIGNAL_SETS = ("SigCgt", "SigIgn", "SigBlk", "ShdPnd")


class Process:
    """A process that is in a PID namespace of the lab. `pid` is its number out here, `inside` the one in there."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._numbers = numbers(status_of(pid), "NSpid")
        self.inside = self._numbers[-1]

    def __str__(self) -> str:
        return f"pid {self.inside}"

    def status(self) -> "dict[str, str]":
        """The fields of /proc/PID/status; empty once nothing is left of the process, whoever has its number then."""
        status = status_of(self.pid)
        return status if numbers(status, "NSpid") == self._numbers else {}

    @property
    def name(self) -> str:
        return self.status().get("Name", "")

    @property
    def state(self) -> str:
        """R, S, T, Z and so on; empty if the process is gone."""
        return self.status().get("State", "")[:1]

    @property
    def parent(self) -> int:
        """The number that the parent has inside, 0 if there is none or the parent is not inside."""
        return self._inside(numbers(self.status(), "PPid")[0])

    @property
    def command(self) -> str:
        """The command line, with spaces between the words; empty for a zombie."""
        try:
            return os.fsdecode(Path(f"/proc/{self.pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" "))
        except (FileNotFoundError, ProcessLookupError):
            return ""

    @property
    def foreground(self) -> int:
        """The foreground process group of its terminal, as that is numbered inside; 0 if it is none of those."""
        return self._inside(int(stat_of(self.pid)[5]))

    def is_beside(self, other: "Process") -> bool:
        """Whether it is as many namespaces down as another."""
        return len(self._numbers) == len(other._numbers)

    def _inside(self, pid: int) -> int:
        """The number of another process in our innermost namespace, 0 if it is not in there."""
        found = numbers(status_of(pid), "NSpid")
        return found[-1] if len(found) == len(self._numbers) else 0

    def has(self, field: str, number: signal.Signals) -> bool:
        """Whether a signal is in one of the sets of /proc/PID/status, such as SigCgt: bit n - 1 is signal n."""
        return bool(int(self.status().get(field, "0"), 16) >> (number - 1) & 1)

    def is_pending(self, number: signal.Signals) -> bool:
        """Whether a signal was sent and waits: for the process (ShdPnd) or for its first thread (SigPnd)."""
        return self.has("ShdPnd", number) or self.has("SigPnd", number)

    def facts(self, *fields: str) -> str:
        """One line of evidence: number, name, and these fields. Numbers of other processes are those inside."""
        status = self.status()
        if not status:
            return f"pid {self.inside}: gone, there is no /proc/{self.inside}"
        shown = {**status, "PPid": str(self.parent)}
        shown.update({field: str(numbers(status, field)[-1]) for field in ("NSpgid", "NSsid")})
        shown.update({field: f"{status[field]} ({names(status[field])})" for field in SIGNAL_SETS if field in status})
        words = [f"{field}: {' '.join(shown.get(field, '?').split())}" for field in fields]
        return f"pid {self.inside}  {status['Name']:<8} {'   '.join(words)}"


def names(signals: str) -> str:
    """The signals in a set of /proc, by their names without SIG."""
    members = [number for number in range(1, 65) if int(signals, 16) >> (number - 1) & 1]
    known = {number.value: number.name[3:] for number in signal.Signals}
    return ", ".join(known.get(number, str(number)) for number in members) or "none"


def status_of(pid: int) -> "dict[str, str]":
    """The lines `NAME:\tVALUE` of /proc/PID/status, empty if there is no such process."""
    try:
        text = os.fsdecode(Path(f"/proc/{pid}/status").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in text.split("\n")) if colon}


def stat_of(pid: int) -> "list[bytes]":
    """The fields of /proc/PID/stat after the name, which may hold anything: state, parent and so on."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b") ")[2].split()


def numbers(status: "dict[str, str]", field: str) -> "list[int]":
    """The numbers in a field, [0] if it is not there. Of the NS fields the last is that of the innermost namespace."""
    return [int(word) for word in status.get(field, "").split()] or [0]
