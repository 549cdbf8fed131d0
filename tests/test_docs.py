"""docs/: it builds without a warning, has what the code has, and each of its commands is typed or says why not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyinit.options.table import OPTIONS
from tests.support import REPOSITORY, Pyinit
from tests.support.pages import DOCS, Commands, pages, parts

FORGE = "https://forge.example/pyinit/blob/main"


def sphinx(builder: str, target: Path, *options: str) -> Path:
    """Build the pages as tools/docs does; a warning fails."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", builder]
    done = subprocess.run(
        [*command, *options, "--doctree-dir", str(target / "trees"), "docs", str(target / "pages")],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return target / "pages"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sphinx("html", tmp_path_factory.mktemp("html"), "--define", f"repository_url={FORGE}")


def test_every_page_is_built(html: Path) -> None:
    built = {str(page.relative_to(html).with_suffix(".md")) for page in html.rglob("*.html")}
    assert {page for page in pages() if not page.startswith("man/")} <= built


def test_the_reference_has_every_option_and_variable(html: Path) -> None:
    options = (html / "reference/options.html").read_text()
    variables = (html / "reference/variables.html").read_text()
    for option in OPTIONS:
        assert f'id="cmdoption-pyinit-{option.name}"' in options
        assert option.variable in options and option.variable in variables


def test_what_is_marked_up_is_shown_as_it_is_meant(html: Path) -> None:
    """A warning is one, an option's two hyphens stay two, and a metavar keeps its bracket."""
    assert 'class="admonition warning"' in (html / "index.html").read_text()
    for name in ("options", "pyinitctl"):
        assert "\N{EN DASH}" not in (html / f"reference/{name}.html").read_text()
    assert "&lt;USER[:GROUP]&gt;" in (html / "reference/pyinitctl.html").read_text()


def test_a_file_of_the_repository_is_a_link_where_it_is_said_to_what(html: Path) -> None:
    assert f'href="{FORGE}/docker/README.md"' in (html / "index.html").read_text()


def test_the_reference_has_what_a_journal_has(pyinit: Pyinit, tmp_path: Path) -> None:
    program = "(sleep 0.1 &); trap '' TERM; (sleep 100 &); kill -TERM $PPID; sleep 0.3; kill -KILL $$"
    pyinit.run("--grace", "1", "--events", str(tmp_path / "journal"), "--", "sh", "-c", program)
    events = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert {"start", "spawn", "signal", "forwarded", "reaped", "drain", "ended"} <= {each["event"] for each in events}
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page("reference/journal.md"), re.MULTILINE | re.DOTALL))
    common = sections["What every event has"]
    for event in events:
        known = set(re.findall(r"`(\w+)`", common + sections[f"`{event['event']}`"]))
        assert set(event) <= known, event["event"]


def page(name: str) -> str:
    return (DOCS / name).read_text()


@pytest.mark.parametrize("name", pages())
def test_each_block_of_commands_is_typed_or_says_why_not(name: str) -> None:
    """tests/container/test_docs.py types those that this finds, and no others."""
    found = [part for part in parts(DOCS / name) if isinstance(part, Commands)]
    assert len(found) == len(re.findall("^```console", page(name), re.MULTILINE))
    for block in found:
        assert block.text.startswith("$ "), f"line {block.line}: it begins with no command"
    reasons = [block.not_run for block in found if block.not_run]
    assert len(reasons) == page(name).count("% not run:"), "a reason that stands before no block"
    assert all(len(reason.split()) > 3 for reason in reasons)


@pytest.mark.parametrize("name", pages())
def test_commands_stand_in_blocks_of_commands(name: str) -> None:
    blocks = re.findall(r"^(`{3,})(.*?)\n(.*?)^\1$", page(name), re.MULTILINE | re.DOTALL)
    assert [kind for _, kind, text in blocks if kind != "console" and re.search(r"^\$ ", text, re.MULTILINE)] == []


@pytest.mark.parametrize("name", pages())
def test_a_test_that_a_reason_names_exists(name: str) -> None:
    for part in parts(DOCS / name):
        if isinstance(part, Commands):
            for test in re.findall(r"tests/[\w/]+\.py", part.not_run):
                assert (REPOSITORY / test).is_file()


def test_the_manual_pages_are_those_of_these_sources(tmp_path: Path) -> None:
    """`tools/docs --man` makes them anew. The wheel takes them as they are."""
    built = sphinx("man", tmp_path, "--tag", "man")
    for name in ("pyinit.1", "pyinitctl.1"):
        assert (built / name).read_text() == (REPOSITORY / "docs/man" / name).read_text(), name


def test_nobody_is_sent_to_another_projects_package() -> None:
    """`pyinit` on the Python package index is not this one."""
    texts = [*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md"), *(REPOSITORY / "docker").rglob("*.md")]
    assert DOCS / "index.md" in texts
    sent = re.compile(r"pip3? install (?:-\S+ )*pyinit(?![\w-])")
    assert [text.name for text in texts if sent.search(text.read_text())] == []
