"""Modules of the standard library that are shared libraries, from where they usually are."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_RTLD_LAZY = 1  # man 3 dlopen


def load(name: str) -> "ModuleType":
    """`import NAME`, with symbols bound when they are used. Raises ImportError.

    The usual way reads the library's directories, and binds what nobody calls: 0.3 ms and 80 kB.
    """
    from _frozen_importlib import ModuleSpec
    from _imp import create_dynamic, exec_dynamic, extension_suffixes

    sys.setdlopenflags(_RTLD_LAZY)
    path = f"{sys.path[-1]}/{name}{extension_suffixes()[0]}"
    try:
        module: "ModuleType" = create_dynamic(ModuleSpec(name, None, origin=path))
        exec_dynamic(module)
    except ImportError:  # it is elsewhere, or built in
        return __import__(name)
    return module
