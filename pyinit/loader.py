"""The shipped file's own code: the first of ours that runs in it.

The file begins with two lines: the kernel reads the first, which runs the second, which runs this, from byte code if
that is for this interpreter, else as it stands here. All modules follow as byte code, and once more as a zip archive of
the sources, which `python3 FILE` and every other interpreter run. pyinit.ctl.zipapp makes it.

In the standalone file (pyinit.ctl.standalone) all modules are frozen, and this is `__main__`.
"""

import _signal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from collections.abc import Callable, Iterable
    from io import BufferedReader, FileIO
    from types import CodeType, ModuleType
    from typing import Any

    # Of each module by its name: how far behind the first its code begins, how long it is, whether it is a package.
    Places = dict[str, tuple[int, int, bool]]
    Keep = Callable[[], None]
    Main = Callable[[set[int], Keep], None]

# What every start runs, each module behind those that it imports.
AT_ONCE = (
    "pyinit",
    "pyinit.kernel",
    "pyinit.boot",
    "pyinit.kernel.signals",
    "pyinit.settings",
    "pyinit.start",
    "pyinit.start.spawn",
    "pyinit.prepare",
    "pyinit.supervise",
    "pyinit.supervise.run",
    "pyinit.supervise.loop",
    "pyinit.__main__",
)
# What may be imported first while the program runs: it is in memory by then, since an upgrade may have replaced or
# deleted our file and the interpreter's own.
KEPT = (
    "pyinit.kernel.descriptors",
    "pyinit.kernel.files",
    "pyinit.kernel.memory",
    "pyinit.kernel.proc",
    "pyinit.kernel.processes",
    "pyinit.kernel.waiting",
    "pyinit.supervise.deadlines",
    "pyinit.supervise.drain",
    "pyinit.supervise.reaping",
    "pyinit.supervise.stopping",
    "pyinit.tell",
    "pyinit.tell.events",
    "pyinit.tell.log",
    "pyinit.tell.signal_names",
    "pyinit.tell.text",
)
# What a module needs and is not among those above runs with it, in one go: to look for one takes longer than to run it.
TOGETHER = {
    "pyinit.options": (
        "pyinit.tell",
        "pyinit.tell.text",
        "pyinit.options.readers",
        "pyinit.options.table",
        "pyinit.options.parser",
    ),
    "pyinit.identity": (
        "pyinit.tell",
        "pyinit.tell.text",
        "pyinit.tell.log",
        "pyinit.kernel.files",
        "pyinit.identity.accounts",
        "pyinit.identity.user",
        "pyinit.identity.privileges",
        "pyinit.identity.capabilities",
        "pyinit.start.search",
        "pyinit.start.fork",
    ),
    "pyinit.start.fork": ("pyinit.tell", "pyinit.tell.log", "pyinit.start.search"),
    "pyinit.kernel.calls": ("pyinit.kernel.extensions",),
    "pyinit.kernel.costs": ("pyinit.kernel.extensions",),
    "pyinit.tell.events": (
        "pyinit.kernel.files",
        "pyinit.kernel.proc",
        "pyinit.kernel.memory",
        "pyinit.kernel.descriptors",
        "pyinit.tell.signal_names",
        "pyinit.tell.text",
        "pyinit.tell.log",
    ),
}


def block_signals() -> "set[int]":
    """Block every signal that can be blocked, and return the mask as it was found. The first act of a start.

    The interpreter takes INT for Ctrl-C and raises KeyboardInterrupt wherever we are, even at the end of the call that
    blocks, whose result is lost then. So first comes a handler that only notes it; and it is sent once more.
    """
    noted: "list[int]" = []
    while _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        try:
            _signal.signal(_signal.SIGINT, lambda number, _: noted.append(number))
        except KeyboardInterrupt:
            noted.append(_signal.SIGINT)
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    take_no_interrupts()
    if noted:
        posix.kill(posix.getpid(), _signal.SIGINT)
    return mask


def take_no_interrupts() -> None:
    """Leave INT to its default again, unless it was ignored: the interpreter has taken it for Ctrl-C."""
    if callable(_signal.getsignal(_signal.SIGINT)):
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def from_byte_code(file: "BufferedReader", index: "tuple[Places, Places, bytes]") -> "tuple[Main, Keep]":
    """Run the modules of every start, and have the others found when they are imported.

    `file` stands where the modules begin, in the order of the index: those of every start; those that are kept; others,
    whose places few starts need, so that they are still as marshal writes them. Returns pyinit.__main__.main, and what
    it is to call as soon as it has time: that reads those that are kept.
    """
    from _frozen_importlib import ModuleSpec
    from marshal import loads

    # What the library's directory holds, which is read again when it is needed: room for our modules, 30 kB.
    sys.path_importer_cache.clear()
    at_once, kept, rest = index
    start = file.tell()
    read_from = identity(file.fileno())
    for name, (_, size, is_package) in at_once.items():
        run(name, is_package, loads(read_all(file, size)))
    file.close()
    path = sys.argv[0]
    places = kept
    kept_code: "dict[str, bytes]" = {}

    def read(names: "Iterable[str]") -> "dict[str, bytes]":
        """The byte code of these modules. The file is opened if there is one that is not kept."""
        code = {name: kept_code.get(name, b"") for name in names}
        if all(code.values()):
            return code
        try:
            with open(path, "rb", 0) as again:
                if identity(again.fileno()) != read_from:
                    raise ImportError(f"{path!r} was replaced while it was starting")
                for name in code:
                    at, size, _ = places[name]
                    again.seek(start + at)
                    code[name] = code[name] or read_all(again, size)
        except OSError as error:
            raise ImportError(f"{path!r}: {error.strerror}") from None
        return code

    def keep() -> None:
        kept_code.update(read(kept))

    def find_spec(name: str, *_: object) -> "ModuleSpec | None":
        nonlocal places
        if not name.startswith("pyinit."):
            return None
        if name not in places and places is kept:
            places = {**kept, **loads(rest)}
        return ModuleSpec(name, finder, is_package=places[name][2]) if name in places else None

    def exec_module(module: "ModuleType") -> None:
        others = [name for name in TOGETHER.get(module.__name__, ()) if name not in sys.modules]
        code = read([*others, module.__name__])
        for name in others:
            run(name, places[name][2], loads(code[name]))
        exec(loads(code[module.__name__]), module.__dict__)

    finder: "Any" = Module("finder")  # PEP 451: anything with these three. A class takes longer to make
    finder.find_spec, finder.exec_module, finder.create_module = find_spec, exec_module, lambda _: None
    sys.meta_path.insert(0, finder)
    return sys.modules["pyinit.__main__"].main, keep


def run(name: str, is_package: bool, code: "CodeType") -> None:
    """Run a module's code as an import does, but for looking for it: the package that it is in is there."""
    parent, _, own_name = name.rpartition(".")
    sys.modules[name] = module = Module(name)
    module.__package__ = name if is_package else parent
    if is_package:
        module.__path__ = []
    if parent:
        setattr(sys.modules[parent], own_name, module)
    exec(code, module.__dict__)


def from_sources() -> "tuple[Main, Keep]":
    """Import all that a start needs and may need later through the standard zipimport."""
    for name in (*KEPT, *AT_ONCE):
        __import__(name)
    return sys.modules["pyinit.__main__"].main, lambda: None


def from_frozen() -> "tuple[Main, Keep]":
    """Run the modules of every start, in the standalone file. Imports find the others, which are in memory."""
    from _imp import get_frozen_object, is_frozen_package

    for name in AT_ONCE:
        run(name, is_frozen_package(name), get_frozen_object(name))
    return sys.modules["pyinit.__main__"].main, lambda: None


def read_all(file: "BufferedReader | FileIO", size: int) -> bytes:
    """So many bytes. Raises OSError if the file is shorter: what is left of one that was cut off must not run."""
    data = file.read(size)
    if len(data) != size:
        raise OSError(5, "it is cut off")  # EIO: who knows the path says it, too
    return data


def identity(descriptor: int) -> "tuple[int, int, int, int]":
    status = posix.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


Module = type(sys)

if __name__ == "__main__":
    is_standalone = "_pyinit" in sys.builtin_module_names
    if is_standalone:  # its main has blocked every signal
        from _pyinit import mask

        take_no_interrupts()
    else:
        mask = block_signals()
    # The second line leaves the open file and the index; `python3 FILE` has neither.
    given = globals()
    if "f" in given:
        del sys.argv[0]  # "-c"
        sys.path.insert(0, sys.argv[0])
    try:
        if is_standalone:
            main, keep = from_frozen()
        elif given.get("index"):
            main, keep = from_byte_code(given["f"], given["index"])
        else:
            main, keep = from_sources()
    except Exception as error:  # no memory, or a file that cannot be read
        posix.write(2, b"pyinit: cannot load %a: %a\n" % (sys.argv[0], error))
        posix._exit(1)
    main(mask, keep)
