"""Make the code that loads the modules out of the file; run by pyinitctl build with the interpreter that is to run it.

Works on the modules below the working directory, and takes three lists of them, separated by `--`: those that run at
each start, in the order of their imports; those that may be imported after the program has started; and those that are
imported before it by many runs. All others are rarely needed, and compiled from their source when they are.

Writes to standard output the size of the boot code and a space, then what goes into the file: the interpreter's magic
number, the boot code, the modules of the first list, each marshalled by itself, and those of the last, deflated
together. The boot code holds the loader for all others, deflated. The second list is behind that (see kept_block).

Importing modules from the zip archive instead takes some 60 us more for each.
"""

import ast
import collections
import importlib.util
import itertools
import marshal
import os
import sys
import zlib
from types import CodeType

# Runs in the namespace of line 2, which holds `s` (sys). Put in are PACKED: places in the code that is deflated in the
# file, in PACKED_SIZE bytes behind SIZE others; and the PACKAGES.
LOADER = """
from _frozen_importlib import ModuleSpec


def find_packed(name):
    # The modules that did not run yet (PEP 451).
    if name.startswith("pyinit") and (name in packed or name in sources()[1]):
        return ModuleSpec(name, bundle, is_package=name in PACKAGES)


def exec_packed(module):
    name = module.__name__
    if name in packed:
        if not unpacked:
            unpacked.append(unpack())
        at, size = packed[name]
        code = loads(unpacked[0][at : at + size])
    else:
        code = source(name)
    exec(code, module.__dict__)


def unpack():
    from zlib import decompressobj

    with open(file, "rb") as f:
        f.seek(start)
        eager = f.read(SIZE)
        for byte, zeros in SHORT:
            eager = eager.replace(byte, zeros)
        return decompressobj(-15, zdict=eager).decompress(f.read(PACKED_SIZE))


def source(name):
    words, places, data = sources()
    at, size = places[name]
    text = data[at : at + size]
    for number, word in enumerate(words, 128):
        text = text.replace(bytes((number,)), word)
    return text


def sources():
    if not all_sources:
        from zipimport import zipimporter

        words, places, data = zipimporter(file).get_data(file + "/sources").split(b";", 2)
        all_sources.extend((words.split(), eval(places), data))
    return all_sources


packed = PACKED
unpacked = []
all_sources = []
file = s.argv[0]
bundle = type(s)("bundle")
bundle.create_module = lambda spec: None
bundle.exec_module = exec_packed
"""

# Finds and loads the modules that are kept in memory, at their PLACES in `kept`; has the others found by `find_other`.
# Here and above exec compiles: before compile() does, it makes the classes of the syntax tree, which takes 2 ms.
KEPT = """
def find_spec(name, *_):
    if name[7:] in places and not is_unpacked(name):
        from _frozen_importlib import ModuleSpec

        return ModuleSpec(name, finder)
    return find_other(name)


def exec_module(module):
    at, size = places[module.__name__[7:]]
    source = kept[at : at + size]
    for number in range(254, 127, -1):
        source = source.replace(bytes((number,)), kept[2 * number - 256 :][:2])
    exec(source, module.__dict__)


places = PLACES
finder = type(s)("finder")
finder.find_spec = find_spec
finder.create_module = lambda spec: None
finder.exec_module = exec_module
s.meta_path.insert(0, finder)
"""

# Runs first where the byte code fits. The namespace of line 2 holds `loads` and `f` as well, the file, open behind this
# code. EAGER stands for names, without "pyinit", and sizes; and LATER for LOADER, which takes time and memory only once
# it is needed, and that is before the program starts. The contents of the library's directory, which is read again when
# needed, make room for our modules: 30 kB.
BOOT = """
def is_unpacked(name):
    return "bundle" in globals() and unpacked and name in packed


def find_other(name):
    if name.startswith("pyinit."):
        if "bundle" not in globals():
            from zlib import decompress

            exec(loads(decompress(LATER, -15)), globals())
        return find_packed(name)


s.path_importer_cache.clear()
start = f.tell()
package = None
try:
    for name, size in EAGER:
        s.modules["pyinit" + name] = module = type(s)("pyinit" + name)
        module.__package__ = "pyinit"
        if package:
            setattr(package, name[1:], module)
        else:
            package = module
            package.__path__ = []
        code = f.read(size)
        for byte, zeros in SHORT:
            code = code.replace(byte, zeros)
        exec(loads(code), module.__dict__)
    f.seek(PACKED_SIZE, 1)
    kept = f.read(KEPT_SIZE)
    f.close()
except BaseException as error:  # no memory, a file that cannot be read, or Ctrl-C
    import posix

    if type(error) is KeyboardInterrupt:
        posix._exit(130)
    posix.write(2, b"pyinit: cannot load %a: %a\\n" % (s.argv[0], error))
    posix._exit(1)
module.main()
"""

# Runs of as many zeros become one byte in the modules that run at each start: a third of marshalled code is numbers of
# four bytes and, since Python 3.11, room for inline caches. Inflating it instead would take 4 % of a start.
RUNS = (18, 8, 4, 3)

# Goes on after LOADER under any other interpreter, as the archive's module `loader`. The sources stay in memory, since
# the file may be replaced or deleted while the program runs.
FROM_SOURCE = """
find_other = find_packed
is_unpacked = packed.get  # nothing is
sources()
with open(file, "rb") as f:
    f.seek(KEPT_AT)
    kept = f.read(KEPT_SIZE)
from pyinit.__main__ import main
main()
"""


def compiled(source: str) -> CodeType:
    return bare(compile(source, "", "exec", dont_inherit=True))


def bare(code: CodeType) -> CodeType:
    """Code without line numbers and qualified names."""
    changes: "dict[str, object]" = {
        "co_consts": tuple(bare(each) if isinstance(each, CodeType) else each for each in code.co_consts),
        "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab": b"",
    }
    if sys.version_info >= (3, 11):
        changes["co_qualname"] = code.co_name
    return code.replace(**changes)  # type: ignore[arg-type]


def source_of(module: str) -> str:
    path = module.replace(".", "/")
    with open(os.path.join(path, "__init__.py") if os.path.isdir(path) else path + ".py", encoding="utf-8") as file:
        return file.read()


def shortenings(code: bytes) -> "tuple[tuple[bytes, bytes], ...]":
    """For each run of zeros a byte that the code does not have."""
    absent = (byte for number in range(255, 0, -1) if (byte := bytes([number])) not in code)
    return tuple((next(absent), bytes(length)) for length in RUNS)


def shortened(code: bytes, short: "tuple[tuple[bytes, bytes], ...]") -> bytes:
    for byte, zeros in short:
        code = code.replace(zeros, byte)
    return code


def deflated(data: bytes, dictionary: bytes = b"") -> bytes:
    """Without a check sum, which would take a fifth of the instructions of inflating it."""
    compressor = zlib.compressobj(9, wbits=-15, zdict=dictionary)
    return compressor.compress(data) + compressor.flush()


def filled(template: str, **values: object) -> str:
    """A template with values put in for its words in capitals, the longest first."""
    for word in sorted(values, key=len, reverse=True):
        template = template.replace(word, repr(values[word]))
    return template


def kept_block(sources: "dict[str, str]") -> "tuple[bytes, dict[str, tuple[int, int]]]":
    """The modules that may be imported after the program has started, as the file has them for every interpreter; and
    where each is in there, by its name without the package's: start and size.

    They are sources, which are smaller than byte code, and in these, single bytes from 128 on stand for frequent pairs,
    which are in front. They are not deflated, since the interpreter's zlib may be a shared library, and that may have
    been replaced or deleted by then.
    """
    text = "\0".join(sources.values()).encode("ascii")
    pairs = b""
    for number in range(128, 255):
        counts = collections.Counter(text[at : at + 2] for at in range(len(text) - 1))
        pair = max(sorted(pair for pair in counts if b"\0" not in pair), key=counts.__getitem__)
        pairs += pair
        text = text.replace(pair, bytes([number]))
    places = {}
    block = pairs
    for name, source in zip(sources, text.split(b"\0")):
        places[name[len("pyinit.") :]] = (len(block), len(source))
        block += source
    return block, places


def bundle(packages: object, eager: "list[str]", kept: "list[str]", packed: "list[str]") -> bytes:
    codes = {name: marshal.dumps(compiled(source_of(name))) for name in (*eager, *packed)}
    block, places = kept_block({name: source_of(name) for name in kept})
    eager_code = b"".join(codes[name] for name in eager)
    short = shortenings(eager_code)
    short_codes = [shortened(codes[name], short) for name in eager]
    # With the first list as a dictionary, whose names and idioms the others share, it becomes a quarter smaller.
    packed_code = deflated(b"".join(codes[name] for name in packed), eager_code)
    ends = list(itertools.accumulate(len(codes[name]) for name in packed))
    later = filled(
        LOADER,
        PACKED={name: (end - len(codes[name]), len(codes[name])) for name, end in zip(packed, ends)},
        PACKED_SIZE=len(packed_code),
        PACKAGES=packages,
        SIZE=sum(map(len, short_codes)),
        SHORT=short,
    )
    sizes = tuple((name[len("pyinit") :], len(code)) for name, code in zip(eager, short_codes))
    boot = filled(
        KEPT + BOOT,
        EAGER=sizes,
        KEPT_SIZE=len(block),
        LATER=deflated(marshal.dumps(compiled(later))),
        PACKED_SIZE=len(packed_code),
        PLACES=places,
        SHORT=short,
    )
    start = marshal.dumps(compiled(boot))
    return b"%d " % len(start) + importlib.util.MAGIC_NUMBER + start + b"".join(short_codes) + packed_code


if __name__ == "__main__":
    lists = [part.split() for part in " ".join(sys.argv[2:]).split("--")]
    sys.stdout.buffer.write(bundle(ast.literal_eval(sys.argv[1]), *lists))
