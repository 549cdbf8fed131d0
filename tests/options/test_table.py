"""The table of options: each row has all that belongs to it, and is in --help."""

import re

import pytest

from pyinit.options import answers
from pyinit.options.readers import READERS
from pyinit.options.table import OPPOSITES, OPTIONS, Option
from pyinit.settings import Settings
from tests.support import Pyinit

from .support import read

# What may be given where a value looks so.
EXAMPLES = {
    "": "yes",
    "SIGNAL": "USR1",
    "STOPSIGNAL": "QUIT",
    "CODE[:TO]": "143:0",
    "FROM:TO": "TERM:QUIT",
    "SECONDS": "2.5",
    "keep|end": "end",
    "none|inherit": "none",
    "COMMAND": "true 1",
    "USER[:GROUP]": "dev:dev",
    "UID[:GID]": "1001:1001",
    "PATH": "/a",
    "FILE": "/a",
    "TREE": "/a",
    "DIR": "/a",
    "LIST": "chown,kill",
    "NAME=PATH": "A=/a",
    "MODE": "027",
    "[=NAMES]": "A,B",
}
CHOICES = [option for option in OPTIONS if not (option.answers or option.counts)]


def changed(settings: Settings) -> "set[str]":
    """The settings that are not the default, but for the program."""
    return {name for name, value in vars(settings).items() if value != getattr(Settings, name)} - {"program"}


@pytest.mark.parametrize("option", CHOICES, ids=lambda option: option.name)
@pytest.mark.parametrize("by_variable", [False, True], ids=["word", "variable"])
def test_every_option_changes_its_setting_and_no_other(option: Option, by_variable: bool) -> None:
    assert option.value in READERS
    example = EXAMPLES[option.value]
    words = [] if by_variable else [f"--{option.name}={example}"]
    if option.with_user:
        words += ["--user", "dev"]
    if option.name != "pause":
        words += ["program"]
    expected = {option.setting} | ({"user"} if option.with_user else set())
    if option.name in ("own", "own-index"):  # they follow what is matched
        words = ["--match", "1001", *words]
        expected |= {"match"}
    if option.name == "kill-process-group":  # what is done anyway: the setting is that of its opposite
        expected = set()
    assert changed(read(*words, **({option.variable: example} if by_variable else {}))) == expected


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.counts], ids=lambda option: option.name)
def test_an_option_that_counts_changes_the_verbosity(option: Option) -> None:
    assert option.name in ("verbose", "quiet")
    assert changed(read(f"--{option.name}", "p")) == {"verbosity"}


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.answers], ids=lambda option: option.name)
def test_an_option_that_answers_has_a_text_and_no_variable(option: Option) -> None:
    settings = read(f"--{option.name}")
    assert settings.answer == option.name
    assert answers.text_of(settings.answer, settings.personality)[1]
    assert not option.variable


def test_what_repeats_is_what_has_several_in_settings() -> None:
    several = {option.name for option in CHOICES if isinstance(getattr(Settings, option.setting, None), (tuple, dict))}
    assert {option.name for option in OPTIONS if option.repeats} == several


def test_letters_and_names_are_each_there_once() -> None:
    letters = [option.letter for option in OPTIONS if option.letter]
    names = [option.name for option in OPTIONS]
    assert len(letters) == len(set(letters)) and len(names) == len(set(names))
    assert set(OPPOSITES) <= set(names)


def test_help_is_made_from_the_table(pyinit: Pyinit) -> None:
    status, output, errors = pyinit.run("--help")
    assert (status, errors) == (0, "")
    assert output == answers.help_text()
    for option in OPTIONS:
        head = re.escape(f"  {f'-{option.letter},' if option.letter else '   '} {option.head}")
        assert re.search(rf"^{head} +{re.escape(option.text)}$", output, re.MULTILINE)
    assert max(map(len, output.splitlines())) <= 100
