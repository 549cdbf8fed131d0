"""Settings, and the short cut to them that needs no parser."""

import pytest

from pyinit.settings import Settings, without_parser

from .options.support import read


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Settings().program = ("other",)
    with pytest.raises(TypeError):
        Settings(nonsense=1)


@pytest.mark.parametrize(
    "words",
    [
        *(["program", "-x"], ["--", "program"], ["--", "-program"], ["program"], ["--", "--", "x"], ["p", "--", "q"]),
        *(["-u", "dev", "program"], ["--user", "www-data", "--", "program", "-u", "x"], ["-u", "-u", "--", "-u"]),
    ],
)
def test_the_short_cut_gives_what_the_parser_gives(words: "list[str]") -> None:
    quick = without_parser(["/pyinit", *words], {b"PATH": b"/bin"})
    assert quick is not None
    parsed = read(*words)
    choices = [name for name, value in vars(Settings).items() if name[0] != "_" and not callable(value)]
    assert all(getattr(quick, name) == getattr(parsed, name) for name in choices)


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        *((["-u"], {}), (["-u", ""], {}), (["-u", "", "p"], {}), (["-u", "dev"], {}), (["-u", "dev", "--"], {})),
        *((["-u", "dev", "-v", "p"], {}), (["-u", "dev:", "p"], {}), (["-u", "dev", "-u", "x", "p"], {})),
        *((["-u", "dev", "p"], {b"PYINIT_USER": b"x"}), (["-udev", "p"], {}), (["--user=dev", "p"], {})),
        *((["-v", "p"], {}), ([], {}), (["--"], {}), ([""], {}), (["p"], {b"PYINIT_VERBOSE": b"1"}), (["-"], {})),
    ],
)
def test_the_short_cut_leaves_everything_else_to_the_parser(
    words: "list[str]", environment: "dict[bytes, bytes]"
) -> None:
    assert without_parser(["/pyinit", *words], environment) is None


@pytest.mark.parametrize("name", ["tini", "/sbin/docker-init", "fixuid", "gosu", "dumb-init.py", "catatonit-static"])
def test_the_short_cut_is_not_for_other_names(name: str) -> None:
    assert without_parser([name, "program"], {}) is None
