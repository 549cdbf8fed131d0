"""Linux system calls that the standard library lacks. Imported only when one is needed.

The standalone file brings them along (pyinit/ctl/main.c). Elsewhere they are made by `_ctypes`, the module behind
`ctypes`: importing it alone takes 0.5 ms instead of 3.5. It does not tell `errno`, so that the OSError which each call
raises when the kernel refuses says only that. Importing this module raises ImportError where the interpreter has no
`_ctypes`, and OSError where that cannot get at the C library, as in a static interpreter.
"""

import sys

from pyinit.kernel import IS_STANDALONE

_RTLD_NOW = 2  # man 3 dlopen

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_AT_EMPTY_PATH = 0x1000  # linux/fcntl.h

_EPERM = 1  # man 3 errno
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h

if IS_STANDALONE:
    from _pyinit import call as _call
else:
    from pyinit.kernel.extensions import load

    _ctypes = load("_ctypes")
    _this_process = _ctypes.dlopen(None, _RTLD_NOW)  # man 3 dlopen: NULL is the program itself

    def _call(name: str, /, *arguments: "int | bytes") -> int:
        return int(_ctypes.call_function(_ctypes.dlsym(_this_process, name), arguments))


def become_subreaper() -> None:
    """Have orphaned descendants reparented to us (man 2 PR_SET_CHILD_SUBREAPER)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(signal: int) -> None:
    """Get `signal` when the parent dies (man 2 PR_SET_PDEATHSIG)."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def set_no_new_privileges() -> None:
    """Let no exec give us or our children what we do not have, by set-user-ID or file capabilities."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def keep_capabilities() -> None:
    """Keep the permitted capabilities when all UIDs change from 0 to others. Undone by exec."""
    _prctl(_PR_SET_KEEPCAPS, 1)


def bounding_capabilities() -> "frozenset[int]":
    """The capabilities that a program may ever get here."""
    return frozenset(number for number in range(64) if _call("prctl", _PR_CAPBSET_READ, number, 0, 0, 0) == 1)


def drop_bounding_capability(number: int) -> None:
    """Take one away from whatever is executed from now on, root's programs too. Needs CAP_SETPCAP."""
    _prctl(_PR_CAPBSET_DROP, number)


def set_capabilities(numbers: "frozenset[int]") -> None:
    """Make the effective, the permitted and the inheritable set these (man 2 capset)."""
    mask = sum(1 << number for number in numbers)
    header = _CAPABILITY_VERSION_3.to_bytes(4, sys.byteorder) + bytes(4)  # pid 0: the calling thread
    low, high = (mask & 0xFFFFFFFF).to_bytes(4, sys.byteorder), (mask >> 32).to_bytes(4, sys.byteorder)
    if _call("capset", header, low * 3 + high * 3) != 0:
        raise OSError(_EPERM, "the kernel refused")


def raise_ambient_capability(number: int) -> None:
    """Keep a permitted and inheritable capability across the exec of an ordinary file (since Linux 4.3)."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)


def clear_ambient_capabilities() -> None:
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def change_owner(descriptor: int, uid: int, gid: int) -> None:
    """Change who owns an open file, also one that was opened with O_PATH; -1 for what stays (man 2 fchownat)."""
    if _call("fchownat", descriptor, b"", uid & 0xFFFFFFFF, gid & 0xFFFFFFFF, _AT_EMPTY_PATH) != 0:
        raise OSError(_EPERM, "the kernel refused")


def _prctl(option: int, value: int, third: int = 0) -> None:
    if _call("prctl", option, value, third, 0, 0) != 0:
        raise OSError(_EPERM, "the kernel refused")
