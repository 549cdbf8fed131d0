"""The beginning of a measured pyinit: records each step from line to line that is new, at once.

At once, since PID 1 ends by _exit, becomes another program, and is killed. Nothing is imported that is not built in,
so that as little as possible differs from the shipped file.
"""

import posix
import sys
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, ModuleType
    from typing import Any

# High, so that the program and the init have the numbers that they have otherwise.
DESCRIPTOR = 250
IS_GENERATOR = 0x20  # of co_flags: a frame that is entered again where it was left


def record(directory: str, version: "tuple[int, int]") -> None:
    """Append a line `FILE FROM TO` for each new step to a file in the directory.

    The numbers are those of coverage.py: minus a function's first line is its entry, and its exit. Nothing is done
    without the directory, and under another version of Python, which has other steps.
    """
    if sys.version_info[:2] != version:
        return
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC
    try:
        descriptor = posix.open(f"{directory}/{posix.getpid()}-{monotonic_ns()}", flags, 0o666)
        posix.dup2(descriptor, DESCRIPTOR, False)
    except OSError:  # in a container, or with a limit of descriptors
        return
    posix.close(descriptor)
    seen: "set[tuple[str, int, int]]" = set()

    def step(name: str, before: int, after: int) -> None:
        if (name, before, after) not in seen:
            seen.add((name, before, after))
            posix.write(DESCRIPTOR, f"{name} {before} {after}\n".encode())

    def enter(frame: "FrameType", _event: str, _argument: object) -> "Callable[..., Any] | None":
        code = frame.f_code
        _, ours, path = code.co_filename.rpartition("pyinit/")
        if not ours:
            return None
        name = ours + path
        again = code.co_flags & IS_GENERATOR and frame.f_lineno != code.co_firstlineno
        at = frame.f_lineno if again else -code.co_firstlineno

        def follow(frame: "FrameType", event: str, _argument: object) -> "Callable[..., Any]":
            nonlocal at
            if event == "line":
                step(name, at, frame.f_lineno)
                at = frame.f_lineno
            elif event == "return":
                step(name, at, -code.co_firstlineno)
            return follow

        return follow

    sys.settrace(enter)


def install(sources: "dict[str, str]") -> None:
    """Let imports find these modules, {path: source}, of which the paths begin with `pyinit/`."""
    from _frozen_importlib import ModuleSpec

    names = {path[: -len(".py")].replace("/", ".").replace(".__init__", ""): path for path in sources}

    class Finder:
        @staticmethod
        def find_spec(name: str, _path: object = None, _target: object = None) -> "ModuleSpec | None":
            package = name in names and names[name].endswith("__init__.py")
            return ModuleSpec(name, Finder, is_package=package) if name in names else None  # type: ignore[arg-type]

        @staticmethod
        def create_module(_spec: object) -> None:
            return None

        @staticmethod
        def exec_module(module: "ModuleType") -> None:
            path = names[module.__name__]
            exec(compile(sources[path], path, "exec", dont_inherit=True), module.__dict__)

    sys.meta_path.insert(0, Finder)
