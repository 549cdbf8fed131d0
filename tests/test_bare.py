"""Sources without what is for people do the same: what is shortened, and what must not be."""

import ast
import json
import subprocess

from pyinit.ctl import zipapp
from pyinit.ctl.bare import bare, source_of
from tests.support import REPOSITORY, interpreters

SOURCE = '''
"""A docstring."""
import edit
from os import path as joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CONSTANT: "Any" = 3


class _Private:
    __slots__ = ("_value", "public")
    attribute: int = 1

    def _method(self, argument: int, *, keyword: int = 2) -> "list[int]":
        """A docstring."""
        assert argument
        found = [edit for edit in (argument, keyword) if edit]
        try:
            self._value = edit.twice(found[0])
        except ValueError as error:
            found = [len(str(error))]
        inner = lambda argument: argument + len(found)

        def nested(given: int) -> int:
            nonlocal inner
            local = given + len(found)
            inner = None
            return local

        return [inner(1), nested(2), self._value, _CONSTANT, f"{found!r:>10}" and 1 if found else 0]


def call(edits):
    edit.twice = lambda number: number * 2
    return _Private()._method(4, keyword=5)
'''


def outcome(source: str) -> object:
    class Edit:
        pass

    namespace: "dict[str, object]" = {}
    exec(compile(source.replace("import edit\n", ""), "", "exec"), namespace)
    namespace["edit"] = Edit
    call = namespace["call"]
    assert callable(call)
    return call([])


def test_a_bare_source_does_the_same() -> None:
    short = bare({"module.py": SOURCE})["module.py"]
    assert outcome(short) == outcome(SOURCE) == [3, 4, 8, 3, 1]


def test_what_is_for_people_goes_and_what_others_use_stays() -> None:
    short = bare({"module.py": SOURCE})["module.py"]
    assert not any(word in short for word in ("docstring", "assert", "Any", "found", "_CONSTANT", "_method", "error"))
    assert all(word in short for word in ("argument", "keyword", "attribute", "public", "call", "joined"))


def test_a_private_name_is_the_same_in_all_modules() -> None:
    sources = bare({"a.py": "def _helped(): pass\n", "b.py": "from a import _helped\n_helped()\n"})
    name = sources["a.py"].split()[1].partition("(")[0]
    assert name != "_helped"
    assert sources["b.py"] == f"from a import {name}\n{name}()"


def test_an_import_for_annotations_alone_goes_and_one_for_its_effect_stays() -> None:
    source = (
        "from a import Kind, used\nfrom b import effect\nfrom c import Other\ndef f(x: Kind) -> Other: return used\n"
    )
    assert bare({"d.py": source})["d.py"] == "from a import used\nfrom b import effect\ndef f(x):\n return used"


def test_the_names_of_modules_that_are_imported_stay() -> None:
    assert bare({"a.py": "import _signal\n_signal.alarm(1)\n"}) == {"a.py": "import _signal\n_signal.alarm(1)"}


def test_leaving_out_spaces_changes_nothing() -> None:
    for path in zipapp.module_files():
        source = path.read_text()
        assert ast.dump(ast.parse(source_of(ast.parse(source)))) == ast.dump(ast.parse(source))


def test_an_f_string_says_the_same() -> None:
    values = {"a": "x", "b": {"k": 2.5}, "w": 6}
    for source in (
        "f'{a}'",
        "f'{{}}{a!r:>{w}}{{{a}}}'",
        """f"{b['k']:.1f} it's" f'{w}"'""",
        "f'{ {1: 2}[1] }\\n\\\\{\"é\"}'",
        "f'{a if w else b}{w != 1}{(lambda: w)()}'",
    ):
        assert eval(source_of(ast.parse(source)), dict(values)) == eval(source, dict(values)), source


BARE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pyinit.ctl.bare import bare
json.dump(bare(json.load(sys.stdin)), sys.stdout)
"""
COMPILE = "import json, sys; [compile(source, path, 'exec') for path, source in json.load(sys.stdin).items()]"


def run(python: str, script: str, data: str) -> str:
    """What a script writes in an interpreter."""
    command = [python, "-ISc", script, str(REPOSITORY)]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=True).stdout


def test_what_any_interpreter_makes_of_the_sources_every_other_can_read() -> None:
    """From 3.12 on f-strings may have their own quotes within, and 3.11 leaves out the brackets of tuples."""
    files = {str(path): path.read_text() for path in zipapp.module_files()}
    made = {version: run(python, BARE, json.dumps(files)) for version, python in interpreters().items()}
    for python in interpreters().values():
        for sources in set(made.values()):
            run(python, COMPILE, sources)
    assert len({sources for version, sources in made.items() if not version.startswith(("3.9.", "3.10."))}) == 1
