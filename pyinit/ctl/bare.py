"""Sources without what is for people, so that all of them and the byte code fit into 64 kB.

Comments, docstrings, annotations and assertions go; names that nobody outside of a function or, with an underscore, of
a module can use become short; spaces that Python does not need are left out.
"""

import ast
import io
import itertools
import re
import string
import tokenize

_LETTERS = string.ascii_letters


def bare(sources: "dict[str, str]") -> "dict[str, str]":
    """The sources of all modules that go into one file, by path."""
    trees = {path: without_annotations(ast.parse(source)) for path, source in sources.items()}
    private = sorted(set().union(*map(_private_names, trees.values())))
    short = dict(zip(private, ("_" + "".join(pair) for pair in itertools.product(_LETTERS, repeat=2))))
    return {path: source_of(Short(short).visit(tree)) for path, tree in trees.items()}


def source_of(tree: ast.Module) -> str:
    """A source for every interpreter: from 3.12 on ast.unparse writes f-strings that older ones cannot read (PEP 701),
    and tokenize takes them apart. So they are names meanwhile."""
    names = FStrings()
    source = tight(ast.unparse(ast.fix_missing_locations(names.visit(tree))))
    return re.sub(f"{names.PREFIX}([0-9]+)_", lambda match: names.sources[int(match[1])], source)


def without_annotations(tree: ast.Module) -> ast.Module:
    """A module without what does nothing when it runs, nor what it imports for that alone."""
    before = _names(tree)
    tree = Bare().visit(tree)
    gone = before - _names(tree)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if alias.name not in gone]
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom) or node.names] or [ast.Pass()]
    return tree


def _names(tree: ast.AST) -> "set[str]":
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


class Bare(ast.NodeTransformer):
    """Takes out of a module what does nothing when it runs."""

    def visit_If(self, node: ast.If) -> "ast.AST | None":
        checking = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if checking else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> "ast.AST | None":
        target = node.targets[0]
        return None if isinstance(target, ast.Name) and target.id == "TYPE_CHECKING" else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> "ast.AST | None":
        return ast.Assign([node.target], self.visit(node.value)) if node.value else None

    def visit_Assert(self, _: ast.Assert) -> None:  # they tell a type checker what is so
        return None

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_body(self, node: "ast.Module | ast.ClassDef | ast.FunctionDef") -> ast.AST:
        if ast.get_docstring(node) is not None:
            del node.body[0]
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.visit_body(node)

    visit_Module = visit_body
    visit_ClassDef = visit_body


class Short(ast.NodeTransformer):
    """Renames private names, by the given table for the whole file, and the local variables of each function."""

    def __init__(self, private: "dict[str, str]") -> None:
        self._private = private

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._private.get(node.id, node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self._private.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__slots__":
            for each in ast.walk(node.value):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    each.value = self._private.get(each.value, each.value)
        return self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST:
        node.name = self._private.get(node.name, node.name)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self._private.get(node.name, node.name)
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._private.get(node.name, node.name)
        self.generic_visit(node)  # functions within this one first
        inside = list(ast.walk(node))
        kept = {each.arg for each in inside if isinstance(each, ast.arg)}  # callers may use them by name
        kept |= {(each.asname or each.name) for each in inside if isinstance(each, ast.alias)}
        kept |= {name for each in inside if isinstance(each, (ast.Global, ast.Nonlocal)) for name in each.names}
        # In a comprehension a name is another than outside of it (the language reference, 6.2.4).
        targets = [each.target for each in inside if isinstance(each, ast.comprehension)]
        kept |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        used = {each.id for each in inside if isinstance(each, ast.Name)} | kept
        local = {each.id for each in inside if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        local |= {each.name for each in inside if isinstance(each, ast.ExceptHandler) and each.name}
        long = sorted(name for name in local - kept if len(name) > 1)
        short = dict(zip(long, (letter for letter in _LETTERS if letter not in used)))
        for each in inside:
            if isinstance(each, ast.Name):
                each.id = short.get(each.id, each.id)
            elif isinstance(each, ast.ExceptHandler) and each.name:
                each.name = short.get(each.name, each.name)
        return node


class FStrings(ast.NodeTransformer):
    """Puts names in the place of f-strings, and has their sources."""

    PREFIX = "f_string_"

    def __init__(self) -> None:
        self.sources: "list[str]" = []

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.sources.append(f_string(node))
        return ast.Name(f"{self.PREFIX}{len(self.sources) - 1}_", ast.Load())


def f_string(node: ast.JoinedStr) -> str:
    """The source of an f-string, in the quotes that are not in it. Raises ValueError if it has them all."""
    content = _content(node)
    for quotes in ("'", '"', "'''", '"""'):
        if quotes not in content and not content.endswith(quotes[0]):
            return f"f{quotes}{content}{quotes}"
    raise ValueError(f"an f-string with all quotes: {content}")


def _content(node: ast.JoinedStr) -> str:
    """What is between the quotes, or behind the colon of a replacement field."""
    parts = []
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            expression = tight(ast.unparse(value.value)).strip()
            space = " " if expression.startswith("{") else ""  # or it would be a brace of the text
            conversion = f"!{chr(value.conversion)}" if value.conversion >= 0 else ""
            form = f":{_content(value.format_spec)}" if isinstance(value.format_spec, ast.JoinedStr) else ""
            parts.append(f"{{{space}{expression}{conversion}{form}}}")
        elif isinstance(value, ast.Constant):
            text = str(value.value).encode("unicode_escape").decode()
            parts.append(text.replace("{", "{{").replace("}", "}}"))
    return "".join(parts)


def _private_names(tree: ast.AST) -> "set[str]":
    """The names with one underscore that a module defines; those of modules that it imports are not among them."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def tight(source: str) -> str:
    """What ast.unparse made, with one space for each level and none between tokens that tell themselves apart."""
    pieces = []
    last = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        if last is None or last.type == tokenize.NEWLINE:
            pieces.append(" " * (token.start[1] // 4))
        elif token.start != last.end and re.search(r"[\w'\"]$", last.string) and re.match(r"[\w'\"]", token.string):
            pieces.append(" ")
        pieces.append("" if token.type == tokenize.NL else token.string)
        last = token if token.type != tokenize.NL else last
    return "".join(pieces)
