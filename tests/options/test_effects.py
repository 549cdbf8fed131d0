"""A question is answered and nothing else; an option that says nothing is not accepted in silence."""

import os
from pathlib import Path

import pytest

from pyinit import __version__
from pyinit.options import answers
from pyinit.options.license import TEXT
from pyinit.tell import Fatal
from tests.support import Pyinit
from tests.support.identity import Etc

from .support import read

ANSWERS = {"--version": f"pyinit {__version__}\n", "-h": answers.help_text(), "--license": TEXT}


@pytest.mark.parametrize("question", ANSWERS)
@pytest.mark.parametrize(
    ("words", "environment"),
    [
        *(((), {}), (("-u", "nobody"), {}), (("-u", "dev", "--match", "4242:4242"), {}), (("-r", "bad"), {})),
        *(((), {"PYINIT_GRACE": "x"}), (("--exec", "--grace", "3"), {}), (("--own-index", "/work"), {}), (("-x",), {})),
        *((("--no-such-option=1",), {}), (("-P", "--exec"), {}), ((), {"TINI_VERBOSITY": "x", "PYINIT_GRCE": "3"})),
        *((("--events", "made"), {"PYINIT_USER": "dev", "PYINIT_MATCH": "4242"}), (("--secrets", "/none"), {})),
        *((("--before", "touch made"), {"PYINIT_SETUP": "touch made"}), ((), {"PYINIT_LAUNCHED_AS": "/pyinit"})),
    ],
)
def test_f75_a_question_is_answered_whatever_stands_beside_it(
    pyinit: Pyinit, etc: Etc, tmp_path: Path, question: str, words: "tuple[str, ...]", environment: "dict[str, str]"
) -> None:
    (tmp_path / "empty").mkdir()
    before = etc.read("passwd"), etc.read("group")
    for line in ((*words, question), (*words, question, "program"), (question, *words)):
        done = pyinit.run(*line, wrapper=etc.mounted, env={**os.environ, **environment}, cwd=tmp_path / "empty")
        assert done == (0, ANSWERS[question], "")
    assert (etc.read("passwd"), etc.read("group")) == before
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("name", ["tini", "dumb-init", "catatonit"])
def test_f75_under_another_name_too(pyinit: Pyinit, name: str) -> None:
    environment = {**os.environ, "PYINIT_GRACE": "x", "TINI_VERBOSITY": "y", "PYINIT_GRCE": "3"}
    status, output, errors = pyinit.named(name).run("-h", env=environment)
    assert status == 0
    assert name in output + errors
    assert "PYINIT" not in errors


@pytest.mark.parametrize(
    "words", [("program", "--help"), ("-u", "--help", "p"), ("--", "--help"), ("-x", "p", "--help")]
)
def test_f75_what_is_a_value_or_the_programs_is_no_question(words: "tuple[str, ...]") -> None:
    try:
        assert not read(*words).answer
    except Fatal as error:
        assert error.status == 2


SILENT_WITH_EXEC = [
    *(["-s"], ["-g"], ["-c"], ["-e", "3"], ["-w"], ["-r", "TERM:INT"], ["--session"], ["--grace", "3"], ["--wait-all"]),
    *(["--stop-timeout", "3"], ["--orphans", "end"], ["--before", "true"], ["--after", "true"]),
]


@pytest.mark.parametrize("words", SILENT_WITH_EXEC)
def test_f76_what_needs_an_init_says_nothing_with_exec(words: "list[str]") -> None:
    with pytest.raises(Fatal) as caught:
        read("--exec", *words, "program")
    assert (caught.value.status, caught.value.message) == (2, f"{words[0]}: says nothing with --exec: no init stays")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        *((["-P", "--session"], "--session: says nothing with --pause"), (["-P", "-e", "3"], "-e: says nothing")),
        *((["-P", "--secret", "A=/a"], "--secret: says nothing"), (["-P", "--grace", "3"], "--grace: says nothing")),
        *((["-P", "--expand-file-vars"], "--expand-file-vars: says nothing"),),
        (["-u", "dev", "--own-index", "/i", "p"], "--own-index: says nothing without --match or --match-owner"),
    ],
)
def test_f76_an_option_that_cannot_take_effect_is_an_error(words: "list[str]", message: str) -> None:
    with pytest.raises(Fatal) as caught:
        read(*words)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "words",
    [
        ["--exec", "--grace", "0", "p"],
        ["--exec", "--orphans", "keep", "p"],
        ["--exec", "--session=no", "p"],
        ["--exec", "--stop-signal", "QUIT", "--setup", "true", "p"],
        ["-u", "dev", "--own", "/work", "--match-owner", "/work", "p"],
        ["-P", "--before", "true", "--wait-all"],
    ],
)
def test_f76_what_is_off_or_takes_effect_is_accepted(words: "list[str]") -> None:
    assert not read(*words).doubts


def test_f76_an_images_variable_is_a_warning_and_an_error_with_strict(pyinit: Pyinit) -> None:
    """It may be meant for the start of the container, and this is one by `docker exec`."""
    environment = {**os.environ, "PYINIT_GRACE": "3", "PYINIT_SESSION": "yes"}
    status, output, errors = pyinit.run("--exec", "--", "echo", "started", env=environment)
    assert (status, output) == (0, "started\n")
    assert sorted(errors.splitlines()) == [
        "pyinit: PYINIT_GRACE: says nothing with --exec: no init stays",
        "pyinit: PYINIT_SESSION: says nothing with --exec: no init stays",
    ]
    status, output, errors = pyinit.run("--exec", "--strict", "--", "echo", "started", env=environment)
    assert (status, output) == (2, "")
    assert errors.startswith("pyinit: PYINIT_")


@pytest.mark.parametrize("name", ["pyinit", "tini", "dumb-init", "catatonit"])
@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("PYINIT_GRCE", "there is no such variable; is PYINIT_GRACE meant?"),
        ("PYINIT_STOPTIMEOUT", "there is no such variable; is PYINIT_STOP_TIMEOUT meant?"),
        ("PYINIT_MATCHOWNER", "there is no such variable; is PYINIT_MATCH_OWNER meant?"),
        ("PYINIT_GRACE_PERIOD", "there is no such variable; --help lists the options"),
        ("TINI_SUBREPER", "there is no such variable; is TINI_SUBREAPER meant?"),
    ],
)
def test_f77_a_misspelt_variable_is_one_warning(pyinit: Pyinit, name: str, variable: str, says: str) -> None:
    under = pyinit if name == "pyinit" else pyinit.named(name)
    status, output, errors = under.run("--", "echo", "x", env={"PATH": os.environ["PATH"], variable: "3"})
    assert (status, output) == (0, "x\n")
    # dumb-init's level, which is taken under its name, has no warnings.
    assert errors.count(f"{variable}: {says}\n") == (name != "dumb-init")
    assert errors.count("\n") == (name != "dumb-init")
    if name == "pyinit":
        assert pyinit.run("--", "echo", "x", env={"PYINIT_STRICT": "1", variable: "3"})[:2] == (2, "")


@pytest.mark.parametrize("variable", ["PYINIT_STATUS", "PYINIT_VERSION", "TINI_VERSION", "PYINITS", "XPYINIT_GRCE"])
def test_f77_what_is_no_misspelt_one_is_not_spoken_of(pyinit: Pyinit, variable: str) -> None:
    assert pyinit.run("--", "echo", "x", env={"PATH": os.environ["PATH"], variable: "3"}) == (0, "x\n", "")
