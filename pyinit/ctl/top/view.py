"""What a person sees of a container on a terminal, and what the keys do."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from pyinit.ctl import forest, proc
from pyinit.ctl.forest import Row
from pyinit.ctl.proc import Process
from pyinit.ctl.top import look as looking
from pyinit.ctl.top.look import ORDERS, TREE, Look
from pyinit.tell import signal_names
from pyinit.tell.text import printable

# What is sent most often, for the arrow keys.
SIGNALS = ("TERM", "HUP", "INT", "QUIT", "USR1", "USR2", "WINCH", "CONT", "STOP", "KILL")

LETTERS = {"P": "cpu", "M": "memory", "N": "pid", "A": "age"}  # as in htop, where it has them

ROOM_FOR_NOTE = 10  # rows


@dataclass
class Question:
    """A line that is typed at the bottom of the screen."""

    label: str
    text: str
    about: str  # stands behind the text, where a narrow screen cuts
    answer: "Callable[[str], None]"  # called with the text on Enter
    typing: "Callable[[str], None]" = lambda _: None  # called with the text while it is typed
    offers: "tuple[str, ...]" = ()  # for the arrow keys
    is_yes_or_no: bool = False  # then a key is the answer


class View:
    """What is shown, in which order, which process is selected, and which question is asked."""

    def __init__(self, out: Console, branches: "tuple[str, ...]", order: str, wanted: str) -> None:
        self.is_done = False
        self._out = out
        self._branches = branches
        self._order = order
        self._wanted = wanted
        self._look: "Look | None" = None
        self._summary = ""
        self._rows: "list[Row]" = []
        self._selected = 0  # of the rows
        self._is_followed = False  # whether the selected process is, wherever it goes: once it was chosen
        self._first = 0  # of the rows, on the screen
        self._page = 1  # rows that the screen had room for
        self._question: "Question | None" = None
        self._message = ""

    def show(self, look: Look) -> None:
        """Take on a new look; the selected process stays selected."""
        self._look = look
        self._summary = time.strftime("%H:%M:%S ") + forest.summary(forest.rows(look.container))
        self._choose()

    def _choose(self) -> None:
        if self._look is None:
            return
        before = self._rows[self._selected].process.identity if self._rows and self._is_followed else None
        self._rows = looking.chosen(self._look, self._order, self._wanted)
        places = [place for place, row in enumerate(self._rows) if row.process.identity == before]
        self._selected = places[0] if places else min(self._selected, max(0, len(self._rows) - 1))

    def _choose_anew(self) -> None:
        """From the top: who sorts or filters wants to see what comes first."""
        self._selected = self._first = 0
        self._is_followed = False
        self._choose()

    def draw(self, width: int, height: int) -> "list[Text]":
        """The screen's lines, none wider than it."""
        if self._look is None:
            return []
        head = [Text(self._summary, style="bold")]
        note = looking.note(self._look)
        if note and height >= ROOM_FOR_NOTE:
            head.append(Text(note, style="dim"))
        self._page = max(1, height - len(head) - 2)  # the titles and the foot
        self._first = min(self._first, self._selected, max(0, len(self._rows) - self._page))
        self._first = max(self._first, self._selected - self._page + 1)
        shown = self._rows[self._first : self._first + self._page]
        table = looking.lines(self._out, self._look, shown, self._branches, width)
        if shown:
            line = table[1 + self._selected - self._first]
            line.pad_right(max(0, width - line.cell_len))
            line.stylize("reverse")
        foot = self._foot()
        for line in (*head, foot):
            line.no_wrap = True
            line.truncate(width, overflow="ellipsis")
        return [*head, *table, *[Text()] * (self._page - len(shown)), foot]

    def _foot(self) -> Text:
        if self._question:
            asked = self._question
            return Text.assemble((asked.label, "bold"), printable(asked.text), ("_ ", "blink"), (asked.about, "dim"))
        if self._message:
            return Text(self._message, style="bold")
        more = len(self._rows) - self._page
        of = f"{self._selected + 1}/{len(self._rows)} " if more > 0 else ""
        wanted = f"/ filter: {printable(self._wanted)}" if self._wanted else "/ filter"
        return Text(f"{of}q quit  k signal  s sort: {self._order}  {wanted}  t tree", style="dim")

    def press(self, key: str) -> None:
        """Do what a key means."""
        self._message = ""
        if self._question:
            self._type(self._question, key)
        elif key in ("q", "Q"):
            self.is_done = True
        elif key in ("/", "\\", "f"):
            self._question = Question("filter: ", self._wanted, "Esc: all", self._filter, self._filter)
        elif key == "k":
            self._ask_for_signal()
        elif key == "t":
            self._sort("cpu" if self._order == TREE else TREE)
        elif key in ("s", ">", "<"):
            self._sort(ORDERS[(ORDERS.index(self._order) + (-1 if key == "<" else 1)) % len(ORDERS)])
        elif key in LETTERS:
            self._sort(LETTERS[key])
        elif key == "escape":
            self._filter("")
        else:
            self._move(key)

    def _move(self, key: str) -> None:
        last = len(self._rows) - 1
        to = {
            "up": self._selected - 1,
            "down": self._selected + 1,
            "page up": self._selected - self._page,
            "page down": self._selected + self._page,
            "home": 0,
            "end": last,
        }.get(key, self._selected)
        self._selected = max(0, min(to, last))
        self._is_followed = True

    def _sort(self, order: str) -> None:
        self._order = order
        self._choose_anew()

    def _filter(self, text: str) -> None:
        self._wanted = text
        self._choose_anew()

    def _type(self, question: Question, key: str) -> None:
        """A key, while a question is asked."""
        if question.is_yes_or_no:
            self._question = None
            question.answer(key)
        elif key == "enter":
            self._question = None
            question.answer(question.text)
        elif key == "escape":
            self._question = None
            question.typing("")
        elif key in ("up", "down") and question.offers:
            question.text = offered(question, 1 if key == "down" else -1)
        else:
            question.text = typed(question.text, key)
            question.typing(question.text)

    def _ask_for_signal(self) -> None:
        if self._look is None or not self._rows:
            return
        self._is_followed = True
        process = self._rows[self._selected].process
        named = self._look.container.named(process)
        about = f"Enter: TERM, up and down: others; to {named}"
        self._question = Question(
            "signal: ", "", about, lambda text: self._confirm(process, named, text), offers=SIGNALS
        )

    def _confirm(self, process: Process, named: str, text: str) -> None:
        try:
            number = signal_names.number(text or "TERM")
        except ValueError as error:
            self._message = printable(str(error))
            return
        name = signal_names.name(number)[3:]

        def answer(key: str) -> None:
            self._message = send(process, number, f"{name} to {named}") if key in ("y", "Y") else "nothing was sent"

        self._question = Question(f"send {name}? y/n ", "", f"to {named}", answer, is_yes_or_no=True)


def offered(question: Question, step: int) -> str:
    """The offer after, or before, the one that stands there; from anything else the first, or the last."""
    if question.text not in question.offers:
        return question.offers[0 if step > 0 else -1]
    return question.offers[(question.offers.index(question.text) + step) % len(question.offers)]


def typed(text: str, key: str) -> str:
    """A text after one key more."""
    if key == "backspace":
        return text[:-1]
    if key == "clear":
        return ""
    return text + key if len(key) == 1 and key.isprintable() else text


def send(process: Process, number: int, what: str) -> str:
    """Send a signal, and say what came of it. The number may be another process's by now: then nothing is sent."""
    try:
        now = proc.read(process.pid)
        if now is None or now.identity != process.identity:
            return f"{what} was not sent: it has ended"
        os.kill(process.pid, number)
    except OSError as error:
        return f"{what} was not sent: {error.strerror}"
    return f"{what} was sent"
