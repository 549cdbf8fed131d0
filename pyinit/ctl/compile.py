"""Compile the modules below the working directory; run by pyinitctl build with the interpreter that is to run them.

Takes three lists of modules, separated by `--`: those that run at each start, in the order of their imports; those that
may be imported after the program has started; and those that are imported before it, if at all. Writes to standard
output the size of the boot code and a space, then what goes into the file: the interpreter's magic number, the boot
code, and the modules of the first and of the third list, each marshalled by itself; the boot code holds the second.

Importing modules from the zip archive instead takes some 60 us more for each. Line numbers and file names are left out:
the running init does not use them.
"""

import importlib.util
import marshal
import os
import sys
from types import CodeType

# Runs in the namespace of the loader, which holds `s` (sys), `loads`, and `f`, the file, open behind the boot code.
# EAGER, KEPT and LATER stand for sizes, byte code, and places in the file.
BOOT = """
from _frozen_importlib import ModuleSpec, module_from_spec


class Bundle:
    # Finds the modules that the loop below does not run (PEP 451).
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Bundle) if name in kept or name in later else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        code = kept.get(module.__name__)
        if code is None:
            at, size = later[module.__name__]
            with open(file, "rb") as f:
                f.seek(start + at)
                code = f.read(size)
        exec(loads(code), module.__dict__)


kept = KEPT
later = LATER
file = s.argv[0]
start = f.tell()
s.meta_path.insert(0, Bundle)
package = ModuleSpec("pyinit", None, is_package=True)
package.submodule_search_locations.append(file + "/pyinit")
s.modules["pyinit"] = package = module_from_spec(package)
for name, size in EAGER:
    module = package
    if name:
        s.modules["pyinit." + name] = module = type(s)("pyinit." + name)
        module.__package__ = "pyinit"
        setattr(package, name, module)
    exec(loads(f.read(size)), module.__dict__)
f.close()
module.main()
"""


def compiled(source: str) -> CodeType:
    return without_lines(compile(source, "", "exec", dont_inherit=True))


def without_lines(code: CodeType) -> CodeType:
    constants = tuple(without_lines(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    if sys.version_info >= (3, 10):
        return code.replace(co_consts=constants, co_linetable=b"")
    return code.replace(co_consts=constants, co_lnotab=b"")


def byte_code(module: str) -> bytes:
    path = module.replace(".", "/")
    with open(os.path.join(path, "__init__.py") if os.path.isdir(path) else path + ".py", encoding="utf-8") as file:
        return marshal.dumps(compiled(file.read()))


def bundle(eager: "list[str]", kept: "list[str]", later: "list[str]") -> bytes:
    codes = {name: byte_code(name) for name in eager + kept + later}
    sizes = tuple((name.partition(".")[2], len(codes[name])) for name in eager)
    at = sum(size for _, size in sizes)
    places = {}
    for name in later:
        places[name] = (at, len(codes[name]))
        at += len(codes[name])
    boot = BOOT.replace("KEPT", repr({name: codes[name] for name in kept}))
    boot = boot.replace("LATER", repr(places)).replace("EAGER", repr(sizes))
    start = marshal.dumps(compiled(boot))
    code = start + b"".join(codes[name] for name in eager + later)
    return b"%d " % len(start) + importlib.util.MAGIC_NUMBER + code


if __name__ == "__main__":
    first, second, third = (part.split() for part in " ".join(sys.argv[1:]).split("--"))
    sys.stdout.buffer.write(bundle(first, second, third))
