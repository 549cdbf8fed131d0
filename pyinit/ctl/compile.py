"""Make the code that loads the modules out of the file; run by pyinitctl build with the interpreter that is to run it.

Works on the modules below the working directory, and takes three lists of them, separated by `--`: those that run at
each start, in the order of their imports; those that may be imported after the program has started; and those that are
imported before it by many runs. There a package brings modules of its own along: `PACKAGE+MODULE+MODULE`, in the order
of their imports. All others are rarely needed, and compiled from their source when they are.

Writes to standard output the size of the boot code and a space, then what goes into the file: the interpreter's magic
number, the boot code, the modules of the first list, each marshalled by itself, and those of the third, deflated too.
The boot code holds the second list, deflated as well.

Importing modules from the zip archive instead takes some 60 us more for each.
"""

import importlib.util
import marshal
import os
import sys
import zlib
from types import CodeType

# Runs in the namespace of line 2, which holds `s` (sys), with KEPT, PACKED, and PLACES put in: marshalled code, places
# of deflated code in the file, and places of all sources in the archive's member, each by the name of the module.
LOADER = """
from _frozen_importlib import ModuleSpec


class Bundle:
    # Finds and loads the modules that did not run yet (PEP 451).
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, Bundle, is_package=places[name][2]) if name in places else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        import posix
        from zlib import decompress, decompressobj

        name = module.__name__
        if name in kept:
            code = loads(decompress(kept[name]))
        elif name in packed:
            at, size, others = packed[name]
            f = posix.open(file, posix.O_CLOEXEC)
            inflate = decompressobj(zdict=posix.pread(f, packed_at, start)).decompress
            *codes, code = loads(inflate(posix.pread(f, size, start + packed_at + at)))
            posix.close(f)
            for other, each in zip(others, codes):
                s.modules[name + "." + other] = child = type(s)(name + "." + other)
                setattr(module, other, child)
                exec(each, child.__dict__)
        else:
            at, size, _ = places[name]
            code = compile(read_sources()[at : at + size], "", "exec")
        exec(code, module.__dict__)


def read_sources():
    from zipimport import zipimporter

    return zipimporter(file).get_data(file + "/sources.py")


kept = KEPT
packed = PACKED
places = PLACES
file = s.argv[0]
s.meta_path.insert(0, Bundle)
"""

# Goes on after LOADER where the byte code fits. The namespace of line 2 holds `loads` and `f` as well, the file,
# open behind this code. EAGER stands for names and sizes.
BOOT = """
start = f.tell()
packed_at = SIZE
s.modules["pyinit"] = package = type(s)("pyinit")
package.__path__ = []
for name, size in EAGER:
    module = package
    if name:
        s.modules["pyinit." + name] = module = type(s)("pyinit." + name)
        module.__package__ = "pyinit"
        setattr(package, name, module)
    code = f.read(size)
    for short, zeros in SHORT:
        code = code.replace(short, zeros)
    exec(loads(code), module.__dict__)
f.close()
module.main()
"""

# Runs of as many zeros are shortened in the modules that run at each start: byte code leaves room for the interpreter's
# inline caches, nearly half of it since Python 3.11. Inflating it instead would take 4 % of a start.
RUNS = (18, 8)

# Goes on after LOADER under any other interpreter, as the archive's module `loader`. The sources stay in memory, since
# the file may be replaced or deleted while the program runs.
FROM_SOURCE = """
all_sources = read_sources()
read_sources = lambda: all_sources
from pyinit.__main__ import main
main()
"""


def compiled(source: str) -> CodeType:
    return bare(compile(source, "", "exec", dont_inherit=True))


def bare(code: CodeType) -> CodeType:
    """Code without what is for people: line numbers, qualified names, and names of variables that go by number."""
    arguments = code.co_argcount + code.co_kwonlyargcount + 2  # and those with stars, if there are any
    short = tuple(f"_{number}" for number in range(len(code.co_varnames)))
    changes: "dict[str, object]" = {
        "co_consts": tuple(bare(each) if isinstance(each, CodeType) else each for each in code.co_consts),
        "co_varnames": code.co_varnames[:arguments] + short[arguments:],
        "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab": b"",
    }
    if sys.version_info >= (3, 11):
        changes["co_qualname"] = code.co_name
    return code.replace(**changes)  # type: ignore[arg-type]


def byte_code(module: str) -> bytes:
    return marshal.dumps(module_code(module))


def module_code(module: str) -> CodeType:
    path = module.replace(".", "/")
    with open(os.path.join(path, "__init__.py") if os.path.isdir(path) else path + ".py", encoding="utf-8") as file:
        return compiled(file.read())


def shortenings(code: bytes) -> "list[tuple[bytes, bytes]]":
    """Two bytes that the code does not have for each run of zeros."""
    absent = (pair for number in range(65535, 0, -1) if (pair := number.to_bytes(2, "big")) not in code)
    return [(next(absent), bytes(length)) for length in RUNS]


def shortened(code: bytes, short: "list[tuple[bytes, bytes]]") -> bytes:
    result = code
    for pair, zeros in short:
        result = result.replace(zeros, pair)
    again = result
    for pair, zeros in reversed(short):
        again = again.replace(pair, zeros)
    assert again == code
    return result


def loader(kept: "dict[str, bytes]", packed: "dict[str, tuple[int, int, list[str]]]", places: str) -> str:
    return LOADER.replace("KEPT", repr(kept)).replace("PACKED", repr(packed)).replace("PLACES", places)


def bundle(eager: "list[str]", kept: "list[str]", packed: "list[str]", places: str) -> bytes:
    codes = [byte_code(name) for name in eager]
    short = shortenings(b"".join(codes))
    codes = [shortened(code, short) for code in codes]
    eager_code = b"".join(codes)
    packed_code = b""
    packed_places: "dict[str, tuple[int, int, list[str]]]" = {}
    for name, *others in (names.split("+") for names in packed):
        # With the first list as a dictionary, whose names and idioms the others share, it becomes a fifth smaller.
        compressor = zlib.compressobj(9, zdict=eager_code)
        together = marshal.dumps([module_code(each) for each in (*(f"{name}.{other}" for other in others), name)])
        code = compressor.compress(together) + compressor.flush()
        packed_places[name] = (len(packed_code), len(code), others)
        packed_code += code
    boot = loader({name: zlib.compress(byte_code(name), 9) for name in kept}, packed_places, places)
    sizes = tuple((name.partition(".")[2], len(code)) for name, code in zip(eager, codes))
    boot += BOOT.replace("EAGER", repr(sizes)).replace("SIZE", str(len(eager_code)))
    boot = boot.replace("SHORT", repr(tuple(reversed(short))))
    start = marshal.dumps(compiled(boot))
    return b"%d " % len(start) + importlib.util.MAGIC_NUMBER + start + eager_code + packed_code


if __name__ == "__main__":
    first, second, third = (part.split() for part in " ".join(sys.argv[2:]).split("--"))
    sys.stdout.buffer.write(bundle(first, second, third, sys.argv[1]))
