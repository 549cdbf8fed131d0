"""Make the shipped file's byte code. `pyinitctl build` runs this with the interpreter that is to run the file.

Reads JSON from standard input: the sources of the modules, by their paths in the archive. Writes to standard output,
with a space behind each, the interpreter's release and the size of the pair that comes first. The block that stands in
the file comes next: the magic number of the byte code; the pair of the loader and the index of the modules; and the
modules in the order of the index. A process of its own, since what marshal writes depends on what ran before.

With `--frozen` it is for the standalone file: JSON with the name of each module, whether it is a package, and its byte
code in hexadecimal digits. Modules that are not pyinit's are compiled as they are.
"""

import ast
import importlib.util
import json
import marshal
import sys
from collections.abc import Iterator
from types import CodeType

LOADER = "pyinit/loader.py"


class WithoutAnnotations(ast.NodeTransformer):
    """And without what is imported for them alone: nothing reads them at run time, and making them takes a tenth of
    what our modules take of a start."""

    def visit_If(self, node: ast.If) -> "ast.AST | None":
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_for_types else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        return ast.copy_location(ast.Assign([node.target], node.value) if node.value else ast.Pass(), node)


def compiled(path: str, source: str) -> CodeType:
    """As `python3 -OO` compiles it, which leaves out docstrings, and without annotations and line numbers."""
    tree = WithoutAnnotations().visit(ast.parse(source, path))
    return without_lines(compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True, optimize=2))


def without_lines(code: CodeType) -> CodeType:
    """And without the longer names of functions, which only tracebacks show."""
    changes: "dict[str, object]" = {
        "co_consts": tuple(without_lines(each) if isinstance(each, CodeType) else each for each in code.co_consts),
        "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab": b"",
    }
    if sys.version_info >= (3, 11):
        changes["co_qualname"] = code.co_name
    return code.replace(**changes)  # type: ignore[arg-type]


def modules(sources: "dict[str, str]") -> "Iterator[tuple[str, bool, bytes]]":
    """The name of each module, whether it is a package, and its byte code."""
    for path, source in sources.items():
        name = path[: -len(".py")].replace("/", ".")
        is_package = name.endswith(".__init__")
        if path.startswith("pyinit/") or path == "__main__.py":
            code = compiled(path, source)
        else:
            code = without_lines(compile(source, path, "exec", dont_inherit=True, optimize=2))
        yield name[: -len(".__init__")] if is_package else name, is_package, marshal.dumps(code)


def block(sources: "dict[str, str]") -> "tuple[int, bytes]":
    """The size of the pair, and the whole block."""
    lists = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(sources[LOADER]).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Tuple)
    }
    codes = {}
    packages = set()
    for name, is_package, code in modules(sources):
        codes[name] = code
        if is_package:
            packages.add(name)
    at_once, kept = lists["AT_ONCE"], lists["KEPT"]
    rest = sorted(set(codes) - {*at_once, *kept, "pyinit.loader"})
    index = []
    data = b""
    for names in (at_once, kept, rest):
        places = {}
        for name in names:
            places[name] = (len(data), len(codes[name]), name in packages)
            data += codes[name]
        index.append(places)
    at_once, kept, others = index
    start = marshal.dumps((compiled(LOADER, sources[LOADER]), (at_once, kept, marshal.dumps(others))))
    return len(start), importlib.util.MAGIC_NUMBER + start + data


if __name__ == "__main__":
    sources = json.load(sys.stdin)
    if sys.argv[1:] == ["--frozen"]:
        json.dump([(name, is_package, code.hex()) for name, is_package, code in modules(sources)], sys.stdout)
    else:
        release = ".".join(map(str, sys.version_info[:3]))
        size, data = block(sources)
        sys.stdout.buffer.write(f"{release} {size} ".encode() + data)
