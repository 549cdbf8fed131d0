"""docker/: the guide knows each example, each example says on a screen what to type, and its test exists."""

import re

import pytest

from tests.support import REPOSITORY

KIT = REPOSITORY / "docker"
GUIDE = (KIT / "README.md").read_text()
EXAMPLES = sorted(folder.name for folder in KIT.iterdir() if folder.is_dir())

SCREEN = 60  # lines


def table() -> "dict[str, str]":
    """The guide's table: the path of the test by the name of the example."""
    return dict(re.findall(r"^\| \[([\w-]+)\]\(\1/README\.md\) \|.*\| \[[\w.]+\]\(([^)]*)\) \|$", GUIDE, re.MULTILINE))


def test_the_guides_table_has_each_example_once_and_no_other() -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("| [")]
    assert len(rows) == len(table())
    assert sorted(table()) == EXAMPLES


def test_the_guide_has_a_section_for_each_example_in_the_tables_order() -> None:
    assert re.findall(r"^## ([\w-]+): ", GUIDE, re.MULTILINE) == list(table())


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_test_of_an_example_exists_and_is_about_it(name: str) -> None:
    file = (KIT / table()[name]).resolve()
    assert file.name.startswith("test_")
    source = file.read_text()
    assert re.search(r"^def test_", source, re.MULTILINE)
    assert f"docker/{name}" in source


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_readme_of_an_example_is_a_screen_and_says_what_to_type(name: str) -> None:
    readme = (KIT / name / "README.md").read_text()
    assert len(readme.splitlines()) <= SCREEN
    assert "```console\n$ " in readme


@pytest.mark.parametrize("folder", ["", *EXAMPLES])
def test_links_lead_to_files(folder: str) -> None:
    readme = KIT / folder / "README.md"
    links = re.findall(r"\]\((?!https?:)([^)#]+)", readme.read_text())
    assert [link for link in links if not (readme.parent / link).exists()] == []
