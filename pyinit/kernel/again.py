"""The interpreter once more, where it was started in a way in which we lose something. Imported only there.

Bytes: an argument is its bytes. In UTF-8 and in Latin-1 every byte comes back from text as it was (PEP 383); about
other encodings of a locale (EUC-JP, Big5) the C library and Python's codec differ, and bytes are lost. In its UTF-8
mode (PEP 540) the interpreter loses none, of variables and of the names of files neither.

Signals: a library that is preloaded (LD_PRELOAD, LD_AUDIT) may start a thread, as agents of monitoring products do, and
what PID 1 is sent is then taken by that thread, whose default action drops it. The program alone gets these variables.
`/etc/ld.so.preload`, which no variable turns off, can only be found by looking.
"""

import posix
import sys

# What we hand over to ourselves: which signals were blocked. The interpreter keeps what it does not know (-X).
_MASK = "pyinit_mask"

_PRELOADED = (b"LD_PRELOAD", b"LD_AUDIT")
_KEPT = b"PYINIT_KEPT_"  # stands before their names meanwhile


def start_again(environment: "dict[bytes, bytes]", mask: "set[int]") -> "tuple[dict[bytes, bytes], set[int]]":
    """Start again. In the second start: the environment and the mask as the first found them.

    Signals stay blocked meanwhile, and those that are pending stay so (man 2 execve). Where /proc does not tell our
    words we go on as we are.
    """
    if _MASK in sys._xoptions:
        handed = str(sys._xoptions[_MASK])
        return _given_back(environment), {int(number) for number in handed.split(".") if number != "none"}
    try:
        with open("/proc/self/cmdline", "rb", 0) as file:
            words = file.readall().split(b"\0")[:-1]
        handing = b"%s=%s" % (_MASK.encode(), b".".join([b"%d" % number for number in mask]) or b"none")
        _put_away(environment)
        # execv: the environment is what the kernel has of us, whatever Python's mapping can hold of it.
        posix.execv(sys.executable, [words[0], b"-X", b"utf8", b"-X", handing, *words[1:]])
    except (OSError, ValueError, IndexError):
        pass
    return environment, mask


def _put_away(environment: "dict[bytes, bytes]") -> None:
    """What must not reach the interpreter, and what it has put there itself (PEP 538)."""
    if b"LC_CTYPE" not in environment:
        posix.unsetenv(b"LC_CTYPE")
    for name in _PRELOADED:
        if name in environment:
            posix.putenv(_KEPT + name, environment[name])
            posix.unsetenv(name)


def _given_back(environment: "dict[bytes, bytes]") -> "dict[bytes, bytes]":
    given = dict(environment)
    for name in _PRELOADED:
        if _KEPT + name in given:
            given[name] = given.pop(_KEPT + name)
            posix.putenv(name, given[name])
            posix.unsetenv(_KEPT + name)
    return given
