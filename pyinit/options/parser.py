"""The command line and the variables of the environment, from words to Settings."""

from pyinit.options.readers import READERS
from pyinit.options.table import OPPOSITES, OPTIONS, USAGE, Option
from pyinit.settings import Settings
from pyinit.tell import Fatal
from pyinit.tell.text import decode

# Given maps the name of an option to how it was given: the words for messages ("-r", "PYINIT_REWRITE"), and the text.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Given = dict[str, list[tuple[str, str]]]


NO_PROGRAM = "no program to run"


class UnknownOption(ValueError):
    def __init__(self, label: str, word: str) -> None:
        super().__init__(f"unknown option {label}")
        self.label = word if word.startswith("--") else label  # as getopt names it


class MissingValue(ValueError):
    def __init__(self, label: str, value: str) -> None:
        super().__init__(f"{label}: a value is missing: {value}")
        self.label = label


def read(words: "list[str]", environment: "dict[bytes, bytes]") -> Settings:
    """Settings from `sys.argv` without its first word, and `posix.environ`. The command line wins over the environment.

    Raises Fatal with status 2 and a line that names option, value and what would be right.
    """
    try:
        given, program = parse(words)
        complete(given, variables(environment))
        return settings(given, program, environment)
    except ValueError as error:
        asked = question(words)
        if asked:
            return Settings(answer=asked)
        raise Fatal(str(error), 2, USAGE) from None


def parse(
    words: "list[str]", letters: "dict[str, Option] | None" = None, names: "dict[str, Option] | None" = None
) -> "tuple[Given, list[str]]":
    """The options as they were written, and the words of the program. As getopt_long does, up to the first operand.

    A question is answered whatever stands beside it: it is all that is returned then. `letters` and `names` say which
    option each is; by default they are the table's. Raises ValueError.
    """
    if letters is None or names is None:
        letters = {option.letter: option for option in OPTIONS if option.letter}
        names = {option.name: option for option in OPTIONS}
    given: "Given" = {}
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if word == "-" or not word.startswith("-"):
            break
        at += 1
        if word.startswith("--"):
            written, equals, text = word[2:].partition("=")
            option = _known("--" + written, names.get(written), word)
            if option.answers:
                return {option.name: [("--" + written, "yes")]}, []
            if option.is_optional and not equals:
                text, equals = "yes", "="
            if option.value and not equals:
                text = _value_of("--" + written, option, words, at)
                at += 1
            _add(given, option, "--" + written, text if option.value or equals else "yes")
            continue
        cluster = word[1:]
        while cluster:
            label, cluster = "-" + cluster[0], cluster[1:]
            option = _known(label, letters.get(label[1]), word)
            if option.answers:
                return {option.name: [(label, "yes")]}, []
            if option.value and not cluster:
                cluster = _value_of(label, option, words, at)
                at += 1
            _add(given, option, label, cluster if option.value else "yes")
            if option.value:
                break
    return given, words[at:]


def question(words: "list[str]") -> str:
    """The option that is a question among these, "" for none: it is answered although another cannot be read."""
    questions = {word: option.name for option in OPTIONS if option.answers for word in option.words}
    for word in words:
        if word in questions:
            return questions[word]
        if word == "--" or not word.startswith("-"):
            break
    return ""


def _known(label: str, option: "Option | None", word: str) -> Option:
    if option is None:
        raise UnknownOption(label, word)
    return option


def _value_of(label: str, option: Option, words: "list[str]", at: int) -> str:
    """The word after an option that takes a value."""
    if at == len(words):
        raise MissingValue(label, option.value)
    return words[at]


def _add(given: "Given", option: Option, label: str, text: str) -> None:
    given.pop(OPPOSITES.get(option.name, ""), None)
    given.setdefault(option.name, []).append((label, text))


def complete(given: "Given", more: "Given") -> None:
    """Add what was given elsewhere, where the command line does not say."""
    for name, texts in more.items():
        if name not in given and OPPOSITES.get(name) not in given:
            given[name] = texts


def variables(environment: "dict[bytes, bytes]") -> "Given":
    """What the environment says: our variables, then tini's where ours do not say."""
    given: "Given" = {}
    named = [variable for variable in environment if variable.startswith(b"PYINIT_")]
    ours = {option.variable.encode(): option for option in OPTIONS if option.variable} if named else {}
    for variable in named:
        if variable in ours:
            option = ours[variable]
            text = decode(environment[variable])
            if text:
                several = option.repeats and option.value != "COMMAND"  # which may have commas in it
                given[option.name] = [(option.variable, part) for part in (text.split(",") if several else [text])]
    # As tini: these two count as soon as they are set, whatever they say.
    if b"TINI_SUBREAPER" in environment:
        given.setdefault("subreaper", [("TINI_SUBREAPER", "yes")])
    if "single-child" in given:  # of the two, the one that is not the default
        given.pop("kill-process-group", None)
    elif b"TINI_KILL_PROCESS_GROUP" in environment:
        given.setdefault("kill-process-group", [("TINI_KILL_PROCESS_GROUP", "yes")])
    if environment.get(b"TINI_VERBOSITY"):
        given["verbosity"] = [("TINI_VERBOSITY", decode(environment[b"TINI_VERBOSITY"]))]
    return given


def settings(given: "Given", program: "list[str]", environment: "dict[bytes, bytes]", **others: "Any") -> Settings:
    """Read every text as its option wants it. Raises ValueError, with the option and the text.

    A question needs none of that. `others` are settings for which there is no option.
    """
    for option in OPTIONS:
        if option.answers and option.name in given:
            return Settings(answer=option.name, **others)
    choices: "dict[str, Any]" = {
        option.setting: _choice(option, given[option.name]) for option in OPTIONS if option.name in given
    }
    level = _values("LEVEL", given["verbosity"])[-1] if "verbosity" in given else Settings.verbosity
    verbosity = level + choices.pop("verbose", 0) - choices.pop("quiet", 0)
    _check(choices, given, program)
    doubts: "tuple[str, ...]" = ()
    if _may_say_nothing(given, environment):
        from pyinit.options import effects

        doubts = effects.check(choices, given, environment, "personality" not in others)
    choices.pop("kill_process_group", False)
    return Settings(program=tuple(program), verbosity=verbosity, doubts=doubts, **{**choices, **others})


def _may_say_nothing(given: "Given", environment: "dict[bytes, bytes]") -> bool:
    """Whether there is an option beside which others say nothing, or a variable that may be no option's."""
    if any(name in given for name in ("exec", "pause", "own", "own-index")):
        return True
    named = [name for name in environment if name.startswith((b"PYINIT_", b"TINI_"))]
    known = {option.variable.encode() for option in OPTIONS} if named else set()
    return not known.issuperset(named)


def _choice(option: Option, texts: "list[tuple[str, str]]") -> "Any":
    """What the texts of one option say together."""
    if option.counts:
        return sum(_values("COUNT", texts))
    values = _values(option.value, texts)
    if not option.repeats:
        return values[-1]
    if isinstance(getattr(Settings, option.setting), dict):
        return dict(values)
    return tuple([part for value in values for part in value])


def _values(value: str, texts: "list[tuple[str, str]]") -> "list[Any]":
    """Each text, read as that kind of value. Raises ValueError, with the option and the text."""
    values: "list[Any]" = []
    for label, text in texts:
        try:
            values.append(READERS[value](text))
        except ValueError as error:
            raise ValueError(f"{label}: {error}") from None
    return values


def _check(choices: "dict[str, Any]", given: "Given", program: "list[str]") -> None:
    """Whether the options go together, and with a program or none. Raises ValueError."""
    pause, become = choices.get("pause"), choices.get("exec")
    if pause and program:
        raise ValueError(f"--pause runs no program, but one was given: {' '.join(program)!r}")
    if not pause and (not program or not program[0]):
        raise ValueError(NO_PROGRAM)
    if pause and become:
        raise ValueError("--pause and --exec: there is no program to become")
    for option in OPTIONS:
        if option.with_user and option.name in given and "user" not in given:
            raise ValueError(f"{given[option.name][0][0]}: only together with --user, which says whose IDs are meant")
