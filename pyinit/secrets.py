"""Secret files into the program's environment, and into nothing else. Imported only if there are any.

They are read as root, before the program's user is taken on, so that nobody else need be able to read them. A message
may name a variable and a file, but never a value.
"""

import posix

from pyinit.log import Fatal
from pyinit.message import decode, encode
from pyinit.settings import Settings

_FILE_TYPE = 0o170000  # man 7 inode: S_IFMT and two of its values
_DIRECTORY = 0o040000
_REGULAR = 0o100000

# The kernel takes no longer string (linux/binfmts.h, MAX_ARG_STRLEN).
_LONGEST = 131072

_SUFFIX = b"_FILE"

# These name a file for the library that reads it, and no secret.
_NO_SECRETS = (b"SSL_CERT_FILE", b"NIX_SSL_CERT_FILE")


def read(settings: Settings, environment: "dict[bytes, bytes]") -> "dict[bytes, bytes | None]":
    """What changes in the program's environment: values of variables, None for one that goes.

    Raises Fatal with status 2, before anything was changed, with the variable or the file that is wrong.
    """
    changes: "dict[bytes, bytes | None]" = {}
    for option, name, path in _sources(settings, environment):
        if not _is_name(name):
            raise Fatal(f"{option}: {name!r} cannot be a variable: letters, digits and _, and no digit first", 2)
        variable = encode(name)
        if variable in changes:
            raise Fatal(f"{option}: {name} has a value from another file already", 2)
        changes[variable] = _content(option, name, path)
        if option == "--expand-file-vars":
            if variable in environment:
                raise Fatal(f"{option}: {name} and {name}_FILE are both set; only one can count", 2)
            changes[variable + _SUFFIX] = None
    return changes


def applied(changes: "dict[bytes, bytes | None]", environment: "dict[bytes, bytes]") -> "dict[bytes, bytes]":
    """An environment with the changes."""
    both = {**environment, **changes}
    return {name: value for name, value in both.items() if value is not None}


def _sources(settings: Settings, environment: "dict[bytes, bytes]") -> "list[tuple[str, str, str]]":
    """(option, variable, path) of each secret."""
    sources = []
    if settings.secrets:
        try:
            # Names with a dot first are an orchestrator's own: Kubernetes keeps versions of a volume there.
            names = sorted(name for name in posix.listdir(settings.secrets) if not name.startswith("."))
        except (OSError, ValueError) as error:
            raise Fatal(f"--secrets: {settings.secrets!r}: {_reason(error)}", 2) from None
        paths = [(name, f"{settings.secrets}/{name}") for name in names]
        sources += [("--secrets", name, path) for name, path in paths if not _is_directory(path)]
    sources += [("--secret", name, path) for name, path in settings.secret]
    if settings.expand_file_vars:
        for variable, path in environment.items():
            if variable.endswith(_SUFFIX) and variable != _SUFFIX and path and variable not in _NO_SECRETS:
                sources.append(("--expand-file-vars", decode(variable[: -len(_SUFFIX)]), decode(path)))
    return sources


def _content(option: str, name: str, path: str) -> bytes:
    """The content of a regular file without one newline at its end."""
    try:
        # Without O_NONBLOCK a FIFO would keep us waiting.
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Fatal(f"{option}: {name}: cannot read {path!r}: {_reason(error)}", 2) from None
    try:
        if posix.fstat(descriptor).st_mode & _FILE_TYPE != _REGULAR:
            raise Fatal(f"{option}: {name}: {path!r} is not a regular file", 2)
        value = b""
        while len(value) <= _LONGEST and (data := posix.read(descriptor, 65536)):
            value += data
    except OSError as error:
        raise Fatal(f"{option}: {name}: cannot read {path!r}: {_reason(error)}", 2) from None
    finally:
        posix.close(descriptor)
    value = value[:-1] if value.endswith(b"\n") else value
    if b"\0" in value:
        raise Fatal(f"{option}: {name}: {path!r} has a NUL byte, which no variable can hold", 2)
    if len(encode(name)) + len(value) + 2 > _LONGEST:
        raise Fatal(f"{option}: {name}: {path!r} is longer than a variable can be ({_LONGEST} bytes)", 2)
    return value


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def _is_directory(path: str) -> bool:
    try:
        return posix.stat(path).st_mode & _FILE_TYPE == _DIRECTORY
    except OSError:  # said when it is read
        return False


def _reason(error: "OSError | ValueError") -> object:
    return error.strerror if isinstance(error, OSError) else error
