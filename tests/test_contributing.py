"""What those who work on pyinit are given: commands that exist, templates that the forge takes, hooks as in CI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from pyinit.options.table import OPTIONS
from tests.support import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = (REPOSITORY / "CONTRIBUTING.md").read_text()
CONTINUOUS = (REPOSITORY / ".ci/run").read_text()
TEMPLATES = REPOSITORY / ".github/ISSUE_TEMPLATE"
FORMS = sorted(TEMPLATES.glob("[!c]*.yml"))


def test_every_path_that_the_guide_names_exists() -> None:
    named = re.findall(r"(?<![\w/.])((?:pyinit|tests|tools|docs|docker|benchmarks|\.ci)(?:/[\w.]+)*)(?![\w(])", GUIDE)
    assert len(named) > 20
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_the_map_has_every_folder_of_the_package() -> None:
    folders = [path for path in (REPOSITORY / "pyinit").iterdir() if (path / "__init__.py").exists()]
    assert folders
    assert [path.name for path in folders if f"| `pyinit/{path.name}`" not in GUIDE] == []


def test_the_hooks_are_what_ci_runs_before_the_tests() -> None:
    """And they run here: nothing is downloaded for them."""
    (local,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    entries = [hook["entry"] for hook in local["hooks"]]
    checks = re.findall(r"^(\.venv/bin/.*|tools/docs)$", CONTINUOUS, re.MULTILINE)
    assert entries == checks
    assert os.access(REPOSITORY / "tools/docs", os.X_OK)


@pytest.mark.parametrize(("schema", "files"), [("issue-forms", FORMS), ("issue-config", [TEMPLATES / "config.yml"])])
def test_the_templates_are_as_the_forge_wants_them(schema: str, files: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.github-{schema}"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    assert files
    assert (done.returncode, done.stdout) == (0, "ok -- validation done\n"), done.stdout


def test_what_a_form_says_to_set_is_there() -> None:
    variables = {option.variable for option in OPTIONS}
    said = {name for form in FORMS for name in re.findall(r"PYINIT_\w+", form.read_text())}
    assert said
    assert said <= variables
