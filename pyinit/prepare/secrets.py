"""Secret files into the program's environment, and into nothing else. Imported only if there are any.

They are read as root, before the program's user is taken on, so that nobody else need be able to read them. A message
may name a variable and a file, but never a value.
"""

import posix

from pyinit.kernel.files import DIRECTORY, FILE_TYPE, REGULAR
from pyinit.kernel.paths import open_as_root
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.text import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyinit.tell.log import Log

# The kernel takes no longer string (linux/binfmts.h, MAX_ARG_STRLEN).
_LONGEST = 131072

_SUFFIX = b"_FILE"

# These name a file for whoever reads it, and no secret: certificates, configurations, logs, tokens that are read anew.
_NO_SECRETS = frozenset(
    b"AWS_CONFIG AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_SHARED_CREDENTIALS AWS_WEB_IDENTITY_TOKEN AZURE_FEDERATED_TOKEN "
    b"CERT CLOUDSDK_AUTH_ACCESS_TOKEN COMPOSE CONFIG ENV FONTCONFIG GDK_PIXBUF_MODULE GIT_INDEX GIT_SSL_CERT "
    b"GTK_IM_MODULE LOCK LOG NIX_SSL_CERT OCI_CLI_CONFIG OTEL_CONFIG OTEL_EXPERIMENTAL_CONFIG PID PIP_CONFIG "
    b"SOPS_AGE_KEY SSL_CERT TF_CLI_CONFIG UV_ENV".split()
)


def read(settings: Settings, environment: "dict[bytes, bytes]", log: "Log") -> "dict[bytes, bytes | None]":
    """What changes in the program's environment: values of variables, None for one that goes.

    Raises Fatal with status 2, before anything was changed, with the variable or the file that is wrong.
    """
    changes: "dict[bytes, bytes | None]" = {}
    for option, name, path in _sources(settings, log):
        if not _is_name(name):
            raise Fatal(f"{option}: {name!r} cannot be a variable: letters, digits and _, and no digit first", 2)
        _add(changes, option, name, _content(option, name, path))
    for name in _names(settings, environment):
        path = decode(environment.get(encode(name) + _SUFFIX, b""))
        if not path:
            continue
        try:
            if environment.get(encode(name)):
                raise Fatal(f"--expand-file-vars: {name} and {name}_FILE are both set; only one can count", 2)
            value = _content("--expand-file-vars", name, path)
        except Fatal as error:
            if name in settings.expand_file_vars:
                raise
            _complain(settings, log, f"{error.message}: {name}_FILE stays as it is")
            continue
        _add(changes, "--expand-file-vars", name, value)
        changes[encode(name) + _SUFFIX] = None
    return changes


def _add(changes: "dict[bytes, bytes | None]", option: str, name: str, value: bytes) -> None:
    if encode(name) in changes:
        raise Fatal(f"{option}: {name} has a value from another file already", 2)
    changes[encode(name)] = value


def _names(settings: Settings, environment: "dict[bytes, bytes]") -> "list[str]":
    """The variables that --expand-file-vars means: those that it names, or all but those that are known to be none."""
    names = [name for name in settings.expand_file_vars if name != "*"]
    if "*" in settings.expand_file_vars:
        found = [variable[: -len(_SUFFIX)] for variable in environment if variable.endswith(_SUFFIX)]
        names += [decode(name) for name in found if name not in _NO_SECRETS and _is_name(decode(name))]
    return list(dict.fromkeys(names))


def _complain(settings: Settings, log: "Log", message: str) -> None:
    from pyinit.identity import complaints

    complaints.complain(settings, log, message)


def applied(changes: "dict[bytes, bytes | None]", environment: "dict[bytes, bytes]") -> "dict[bytes, bytes]":
    """An environment with the changes."""
    both = {**environment, **changes}
    return {name: value for name, value in both.items() if value is not None}


def _sources(settings: Settings, log: "Log") -> "list[tuple[str, str, str]]":
    """(option, variable, path) of each file that an option names. What is no variable in a directory is passed over."""
    sources = []
    if settings.secrets:
        try:
            files = _files(settings.secrets)
        except (OSError, ValueError) as error:
            raise Fatal(f"--secrets: {settings.secrets!r}: {_reason(error)}", 2) from None
        odd = [name for name in files if not _is_name(name)]
        if odd:
            _complain(
                settings, log, f"--secrets: passed over, since they cannot be variables: {', '.join(map(repr, odd))}"
            )
        sources += [("--secrets", name, f"{settings.secrets}/{name}") for name in files if _is_name(name)]
    return sources + [("--secret", name, path) for name, path in settings.secret]


def _files(path: str) -> "list[str]":
    """The names of what is in a directory, and no directory itself. Raises OSError or ValueError."""
    directory = open_as_root(path, posix.O_RDONLY | posix.O_DIRECTORY)
    try:
        # Names with a dot first are an orchestrator's own: Kubernetes keeps versions of a volume there.
        names = sorted(name for name in posix.listdir(directory) if not name.startswith("."))
        return [name for name in names if not _is_directory(name, directory)]
    finally:
        posix.close(directory)


def _content(option: str, name: str, path: str) -> bytes:
    """The content of a regular file without the end of its last line, if there is one."""
    try:
        # Without O_NONBLOCK a FIFO would keep us waiting.
        descriptor = open_as_root(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY)
    except (OSError, ValueError) as error:
        raise Fatal(f"{option}: {name}: cannot read {path!r}: {_reason(error)}", 2) from None
    try:
        if posix.fstat(descriptor).st_mode & FILE_TYPE != REGULAR:
            raise Fatal(f"{option}: {name}: {path!r} is not a regular file", 2)
        value = b""
        while len(value) <= _LONGEST and (data := posix.read(descriptor, 65536)):
            value += data
    except OSError as error:
        raise Fatal(f"{option}: {name}: cannot read {path!r}: {_reason(error)}", 2) from None
    finally:
        posix.close(descriptor)
    value = value.removesuffix(b"\r\n") if value.endswith(b"\r\n") else value.removesuffix(b"\n")
    if b"\0" in value:
        raise Fatal(f"{option}: {name}: {path!r} has a NUL byte, which no variable can hold", 2)
    if len(encode(name)) + len(value) + 2 > _LONGEST:
        raise Fatal(f"{option}: {name}: {path!r} is longer than a variable can be ({_LONGEST} bytes)", 2)
    return value


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def _is_directory(name: str, parent: int) -> bool:
    try:
        return posix.stat(name, dir_fd=parent).st_mode & FILE_TYPE == DIRECTORY
    except OSError:  # said when it is read
        return False


def _reason(error: "OSError | ValueError") -> object:
    return error.strerror if isinstance(error, OSError) else error
