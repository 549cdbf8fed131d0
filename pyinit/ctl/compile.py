"""Compile the modules below the working directory; run by pyinitctl build with the interpreter that is to run them.

The arguments are two lists of modules separated by `--`: those that run at each start, in the order of their imports,
and those that are imported only when needed. Writes to standard output the interpreter's magic number and one
marshalled code object, the boot code, which holds them all. Reading it in one go takes a third of the time that
importing the modules from the zip archive takes.

Line numbers and file names are left out: the running init does not use them.
"""

import importlib.util
import marshal
import os
import sys
from types import CodeType

# Runs in the namespace of the loader, which holds `s` (sys) and `loads`. EAGER and DEFERRED stand for the byte code.
BOOT = """
from _frozen_importlib import ModuleSpec, module_from_spec


class Deferred:
    # Finds modules that were read with the file (PEP 451): nothing is read from it once the program runs.
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Deferred) if name in deferred else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(loads(deferred[module.__name__]), module.__dict__)


deferred = DEFERRED
s.meta_path.insert(0, Deferred)
package = ModuleSpec("pyinit", None, is_package=True)
package.submodule_search_locations.append(s.argv[0] + "/pyinit")
s.modules["pyinit"] = package = module_from_spec(package)
for name, code in EAGER:
    module = package
    if name:
        s.modules["pyinit." + name] = module = type(s)("pyinit." + name)
        module.__package__ = "pyinit"
        setattr(package, name, module)
    exec(code, module.__dict__)
module.main()
"""


def compiled(source: str) -> CodeType:
    return without_lines(compile(source, "", "exec", dont_inherit=True))


def without_lines(code: CodeType) -> CodeType:
    constants = tuple(without_lines(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    if sys.version_info >= (3, 10):
        return code.replace(co_consts=constants, co_linetable=b"")
    return code.replace(co_consts=constants, co_lnotab=b"")


def byte_code(module: str) -> CodeType:
    path = module.replace(".", "/")
    with open(os.path.join(path, "__init__.py") if os.path.isdir(path) else path + ".py", encoding="utf-8") as file:
        return compiled(file.read())


def boot_code(eager: "list[str]", deferred: "list[str]") -> CodeType:
    """The boot code, with the modules as its constants."""
    stored = {name: marshal.dumps(byte_code(name)) for name in deferred}
    code = compiled(BOOT.replace("DEFERRED", repr(stored)).replace("EAGER", "'EAGER'"))
    modules = tuple((name.partition(".")[2], byte_code(name)) for name in eager)
    return code.replace(co_consts=tuple(modules if each == "EAGER" else each for each in code.co_consts))


if __name__ == "__main__":
    at = sys.argv.index("--")
    sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER + marshal.dumps(boot_code(sys.argv[1:at], sys.argv[at + 1 :])))
