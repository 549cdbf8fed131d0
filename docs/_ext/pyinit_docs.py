"""What is ours in Sphinx: the options, from the table that --help is made from, and names of the repository's files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.domains.std import OptionXRefRole
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from pyinit.options.table import OPTIONS, Option

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = Path(__file__).resolve().parents[2]
LOG = logging.getLogger(__name__)


class Options(SphinxDirective):
    """`{pyinit-options}`: every option in the table's order, so that {opt}`--grace` is a link to it."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(["```{program} pyinit\n```", *map(entry, OPTIONS)]))


def entry(option: Option) -> str:
    """One option in MyST: how it is written, what it does, and what else its row says."""
    head = ", ".join([*([f"-{option.letter}"] if option.letter else []), option.head])
    remarks = [f"Variable: `{option.variable}`." if option.variable else "It has no variable."]
    if option.repeats and "repeatable" not in option.text:
        remarks.append("Repeatable.")
    if option.with_user:
        remarks.append("Only with {opt}`--user`.")
    return f"````{{option}} {head}\n{sentence(option.text)}\n\n{' '.join(remarks)} From: {option.origin}.\n````\n"


def sentence(text: str) -> str:
    """With a capital and a full stop; a value that it begins with (`end: ...`) stays as it is."""
    first = text if text.partition(" ")[0].endswith(":") else text[0].upper() + text[1:]
    return f"{first}."


class Table(SphinxDirective):
    """`{pyinit-table}`: the same as a table, for one look."""

    def run(self) -> list[nodes.Node]:
        lines = ["| option | what it does | from |", "| --- | --- | --- |"]
        for option in OPTIONS:
            head = ", ".join([*([f"-{option.letter}"] if option.letter else []), option.head]).replace("|", r"\|")
            lines.append(f"| `{head}` | {option.text} | {option.origin} |")
        return self.parse_text_to_nodes("\n".join(lines))


class Variables(SphinxDirective):
    """`{pyinit-variables}`: every option's variable, and what its value looks like."""

    kinds: ClassVar[dict[str, str]] = {"": "`yes` or `no`", "[=NAMES]": "`NAMES`, or `yes` for all"}

    def run(self) -> list[nodes.Node]:
        lines = ["| variable | value | option |", "| --- | --- | --- |"]
        for option in OPTIONS:
            if option.variable:
                lines.append(f"| `{option.variable}` | {self.value(option)} | {{opt}}`--{option.name}` |")
        return self.parse_text_to_nodes("\n".join(lines))

    def value(self, option: Option) -> str:
        if option.counts:
            return "a number"
        form = self.kinds.get(option.value) or "`" + option.value.replace("|", r"\|") + "`"
        if not option.repeats or option.is_optional:
            return form
        return f"{form}: one" if option.value == "COMMAND" else f"{form}, commas between several"


class OptionLink(OptionXRefRole):
    """{opt}`--grace`: an option of pyinit's, on whatever page."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        self.name = "std:option"
        self.env.ref_context["std:program"] = "pyinit"
        return super().run()


class RepositoryFile(SphinxRole):
    """{repo}`docker/minimal`: a file of the repository, which must be there; a link where `repository_url` is set."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if not (REPOSITORY / self.text).exists():
            LOG.warning("no such file in the repository: %s", self.text, location=self.get_location())
        name = nodes.literal(self.text, self.text)
        base = self.config.repository_url.rstrip("/")
        return [nodes.reference("", "", name, refuri=f"{base}/{self.text}") if base else name], []


def keep_lines(_app: Sphinx, _context: Any, lines: list[str]) -> None:
    """What a command's help keeps in lines (`\\b`) stands in columns: a literal block, and not a block of lines."""
    shown = list(lines)
    lines.clear()
    for number, line in enumerate(shown):
        if not line.startswith("| "):
            lines.append(line)
            continue
        if not (number and shown[number - 1].startswith("| ")):
            lines += ["", "::", ""]
        lines.append(f"   {line[2:]}".rstrip())


def close_brackets(_app: Sphinx, _context: Any, lines: list[str]) -> None:
    """sphinx-click takes a bracket off the end of `USER[:GROUP]`, as it does of `[USER]`."""
    lines[:] = [re.sub(r"<([^<>\[\]]*\[[^<>\[\]]*)>", r"<\1]>", line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("pyinit-options", Options)
    app.add_directive("pyinit-table", Table)
    app.add_directive("pyinit-variables", Variables)
    app.add_role("opt", OptionLink())
    app.connect("sphinx-click-process-description", keep_lines)
    app.connect("sphinx-click-process-options", close_brackets)
    app.add_config_value("repository_url", "", "env")
    app.add_role("repo", RepositoryFile())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
