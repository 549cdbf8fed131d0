"""The Dockerfile: what is changed, with the reason above it as a comment."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

from pyinit import __version__
from pyinit.ctl.adopt.plan import DOUBT, WHERE
from pyinit.tell.text import printable

if TYPE_CHECKING:
    from pyinit.ctl.adopt.image import Image
    from pyinit.ctl.adopt.plan import Plan

FILE = "pyinit"  # its name in the directory
WIDTH = 110


def write(image: Image, plan: Plan, platform: str) -> str:
    """The text of a Dockerfile. `platform` is the image's where it is not this machine's, "" otherwise.

    A comment is one line for a builder, whatever the image's own words have in them; and ENTRYPOINT, CMD and ENV take
    their words as JSON or in quotes, in which no builder replaces a variable of these.
    """
    lines = [*comment(f"Written by `pyinitctl adopt {printable(image.name)}` (pyinit {__version__}).")]
    lines.append(f"FROM --platform={platform} {image.name}" if platform else f"FROM {image.name}")
    lines.append(f"COPY {FILE} {WHERE}")
    for remark in plan.remarks:
        lines += comment(f"Doubt: {remark.text}." if remark.kind == DOUBT else f"{remark.text}.")
    lines += [f"ENV {name}={json.dumps(value)}" for name, value in plan.environment.items()]
    if plan.user:
        lines.append(f"USER {plan.user}")
    lines.append(f"ENTRYPOINT {json.dumps(entrypoint(plan))}")
    if plan.cmd:
        lines.append(f"CMD {json.dumps(plan.cmd)}")
    return "\n".join(lines) + "\n"


def entrypoint(plan: Plan) -> list[str]:
    return [WHERE, *plan.options, *(["--"] if "-P" not in plan.options else []), *plan.entrypoint]


def comment(text: str) -> list[str]:
    lines = textwrap.wrap(printable(text), WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {lines[0]}", *(f"#   {line}" for line in lines[1:])]
