"""What `tools/release` makes, that it makes the same twice, and that the workflows call what exists."""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyinit import __version__
from pyinit.ctl import standalone
from tests.support import REPOSITORY, interpreters
from tests.support import standalone as built

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
ZIPAPPS = {f"pyinit-{__version__}-usr": "/usr/bin/python3", f"pyinit-{__version__}-usr-local": "/usr/local/bin/python3"}
STANDALONE = f"pyinit-{__version__}-linux-{'arm64' if platform.machine() == 'aarch64' else 'amd64'}"
PYZ = f"pyinitctl-{__version__}.pyz"
PACKAGES = {f"pyinit_container-{__version__}-py3-none-any.whl", f"pyinit_container-{__version__}.tar.gz"}
MANUALS = {"pyinit.1", "pyinitctl.1"}
DATE = "1700000000"  # 2023-11-14T22:13:20Z

pytestmark = pytest.mark.timeout(400)  # a release compiles the standalone file, and is made four times


def make(
    directory: "Path | str", *files: "Path | str", root: Path = REPOSITORY, **variables: str
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYINIT_RELEASE_PYTHON": sys.executable, "SOURCE_DATE_EPOCH": DATE, **variables}
    command = [str(root / "tools/release"), str(directory), *files]
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("release") / "new"
    built.content()  # or this skips: what the standalone file is built of is not here
    done = make(directory)
    assert done.returncode == 0, done.stderr
    return directory


def test_it_has_every_file_and_their_checksums_are_right(release: Path) -> None:
    described = {*ZIPAPPS, *PACKAGES, STANDALONE, PYZ}
    bills = {f"{name}.cdx.json" for name in described}
    assert {path.name for path in release.iterdir()} == described | bills | MANUALS | {"SHA256SUMS"}
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.count(": OK\n")) == (0, len(described | bills | MANUALS))


@pytest.mark.parametrize("name", ZIPAPPS)
def test_the_zipapps_are_intact_and_for_where_python_is(release: Path, name: str) -> None:
    command = [sys.executable, "-m", "pyinit.ctl", "build", "--check", str(release / name), "--json"]
    found = json.loads(subprocess.check_output(command, cwd=REPOSITORY))
    assert (found["intact"], found["version"], found["python"]) == (True, __version__, ZIPAPPS[name])
    assert found["byte_code"]
    run = subprocess.run([sys.executable, release / name, "--", "sh", "-c", "exit 7"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (7, "")


def test_the_standalone_file_is_what_its_sources_make(release: Path) -> None:
    command = [sys.executable, "-m", "pyinit.ctl", "build", "--check", str(release / STANDALONE), "--json"]
    found = json.loads(subprocess.check_output(command, cwd=REPOSITORY))
    assert (found["intact"], found["version"], found["same_sources"]) == (True, __version__, True)
    assert found["unproven"] == ""
    run = subprocess.run([release / STANDALONE, "-qq", "--", "sh", "-c", "exit 7"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (7, "")


def test_the_bill_of_materials_of_the_standalone_file_names_all_that_is_linked(release: Path) -> None:
    bill: "dict[str, Any]" = json.loads((release / f"{STANDALONE}.cdx.json").read_text())
    made_of = standalone.read_mark((release / STANDALONE).read_bytes())
    assert made_of
    found = {each["name"]: (each["version"], each["licenses"]) for each in bill["components"]}
    assert found["cpython"] == (made_of["python"], [{"license": {"id": "Python-2.0.1"}}])
    assert found["glibc"] == (made_of["c_library"].split()[1], [{"license": {"id": "LGPL-2.1-or-later"}}])
    assert found["libgcc"][1] == [{"expression": "GPL-3.0-or-later WITH GCC-exception-3.1"}]
    assert len(found) == 3
    needed = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}[STANDALONE]
    assert set(needed) == {each["bom-ref"] for each in bill["components"]}


def test_a_standalone_file_of_another_architecture_goes_in(release: Path, tmp_path: Path) -> None:
    data = (release / STANDALONE).read_bytes()
    (tmp_path / "other").write_bytes(
        built.forged(data, f'"machine": "{platform.machine()}'.encode(), b'"machine": "riscv64')
    )
    done = make(tmp_path / "new", tmp_path / "other")
    assert done.returncode == 0, done.stderr
    name = f"pyinit-{__version__}-linux-riscv64-linux-gnu"
    assert (tmp_path / "new" / name).read_bytes() == (tmp_path / "other").read_bytes()
    assert (tmp_path / "new" / f"{name}.cdx.json").exists()
    assert contents(release).items() - contents(tmp_path / "new").items() == {
        ("SHA256SUMS", hashlib.sha256((release / "SHA256SUMS").read_bytes()).hexdigest())
    }


def test_a_standalone_file_that_is_damaged_or_of_other_sources_is_no_release(release: Path, tmp_path: Path) -> None:
    data = (release / STANDALONE).read_bytes()
    for content in (data[:-2], built.forged(data, b'"sources": "', b'"sources": "0'), b"#!/bin/sh\n"):
        (tmp_path / "other").write_bytes(content)
        done = make(tmp_path / "new", tmp_path / "other")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "is no intact standalone file of these sources" in done.stderr
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", [*ZIPAPPS, *sorted(PACKAGES), PYZ])
def test_the_bill_of_materials_names_the_file_and_what_it_needs(release: Path, name: str) -> None:
    """tools/release has held it against the schema of CycloneDX."""
    bill: "dict[str, Any]" = json.loads((release / f"{name}.cdx.json").read_text())
    described = bill["metadata"]["component"]
    assert (bill["specVersion"], bill["metadata"]["timestamp"]) == ("1.6", "2023-11-14T22:13:20+00:00")
    assert (described["name"], described["version"], described["bom-ref"]) == ("pyinit", __version__, name)
    content = hashlib.sha256((release / name).read_bytes()).hexdigest()
    assert described["hashes"] == [{"alg": "SHA-256", "content": content}]
    needed = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}[name]
    libraries = IN_PYZ if name == PYZ else ["click", "psutil", "rich"] if name in PACKAGES else []
    assert [re.sub("@.*", "", each) for each in needed] == [f"pkg:pypi/{each}" for each in libraries]
    below = {f"pkg:pypi/{each}" for each in (IN_PYZ if libraries else [])}
    assert {re.sub("@.*", "", each["bom-ref"]) for each in bill.get("components", [])} >= below


IN_PYZ = ["click", "markdown-it-py", "mdurl", "pygments", "rich"]


@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters())
def test_the_pyz_runs_alone_with_every_python(release: Path, tmp_path: Path, python: str) -> None:
    """Without site-packages, so without psutil. What it builds is what is built here."""

    def run(*words: str) -> str:
        command = [python, "-IS", str(release / PYZ), *words]
        done = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), words
        return str(done.stdout)

    assert run("--version") == f"{PYZ} {__version__}\n"
    assert f"{PYZ} tree" in run("tree")
    assert "psutil is not installed" in run("top", "-n", "1")
    assert "README.md" in run("lab", "write", "workshop")
    run("build", "--python", "/usr/bin/python3", "--output", "pyinit")
    command = [sys.executable, "-m", "pyinit.ctl", "build", "--python", "/usr/bin/python3", "-o", f"{tmp_path}/other"]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    assert (tmp_path / "pyinit").read_bytes() == (tmp_path / "other").read_bytes()


def test_it_is_made_byte_for_byte_again_from_its_own_sdist(release: Path, tmp_path: Path) -> None:
    """Elsewhere, with another time zone, language, umask, and order of hashes, and without a repository around it."""
    subprocess.run(["tar", "-xf", release / f"pyinit_container-{__version__}.tar.gz", "-C", tmp_path], check=True)
    root = tmp_path / f"pyinit_container-{__version__}"
    before = os.umask(0o077)
    try:
        done = make(tmp_path / "again", root=root, TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="7")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "again") == contents(release)


def contents(directory: Path) -> "dict[str, str]":
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def test_a_directory_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    done = make(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tools/release: DIR: '{tmp_path}' is not empty: name a new or an empty directory\n"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_changes_name_the_current_version_first() -> None:
    first = next(line for line in (REPOSITORY / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert re.fullmatch(rf"## {re.escape(__version__)} \((unreleased|\d{{4}}-\d\d-\d\d)\)", first)


def test_the_version_is_said_in_one_place() -> None:
    command = [
        "grep",
        "-rlF",
        f'"{__version__}"',
        "pyinit",
        "tools",
        "pyproject.toml",
        "--include=*.py",
        "--include=*.toml",
    ]
    assert subprocess.check_output(command, cwd=REPOSITORY, text=True) == "pyinit/__init__.py\n"


@pytest.fixture
def changes(tmp_path: Path) -> "Iterator[Path]":
    """A copy of what tools/release-notes reads, with a version of its own; yields the CHANGELOG."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "pyinit").mkdir()
    notes = REPOSITORY / "tools/release-notes"
    (tmp_path / "tools/release-notes").write_bytes(notes.read_bytes())
    (tmp_path / "pyinit/__init__.py").write_text('__version__ = "1.2.3"\n')
    yield tmp_path / "CHANGELOG.md"


def notes(changes: Path, tag: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", changes.parent / "tools/release-notes", tag], capture_output=True, text=True)


def test_the_notes_are_the_section_of_the_version(changes: Path) -> None:
    changes.write_text("# Changes\n\n## 1.2.3 (2026-12-01)\n\n- New.\n\n## 1.2.2 (2026-11-01)\n\n- Old.\n")
    assert notes(changes, "v1.2.3").stdout == "\n- New.\n\n"


@pytest.mark.parametrize(
    ("tag", "heading", "complaint"),
    [
        (
            "v1.2.4",
            "## 1.2.3 (2026-12-01)",
            "TAG: 'v1.2.4' does not fit the version in pyinit/__init__.py: v1.2.3 would",
        ),
        ("1.2.3", "## 1.2.3 (2026-12-01)", "TAG: '1.2.3' does not fit the version in pyinit/__init__.py: v1.2.3 would"),
        ("v1.2.3", "## 1.2.3 (unreleased)", "CHANGELOG.md: no section '## 1.2.3 (YEAR-MONTH-DAY)'"),
        ("v1.2.3", "## 1.2.30 (2026-12-01)", "CHANGELOG.md: no section '## 1.2.3 (YEAR-MONTH-DAY)'"),
    ],
)
def test_a_tag_that_does_not_fit_is_no_release(changes: Path, tag: str, heading: str, complaint: str) -> None:
    changes.write_text(f"# Changes\n\n{heading}\n\n- New.\n")
    done = notes(changes, tag)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"tools/release-notes: {complaint}\n")


def steps(workflow: Path) -> "list[dict[str, Any]]":
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job.get("steps", [])]


def test_the_workflows_are_as_the_forge_wants_them() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *map(str, WORKFLOWS),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert WORKFLOWS
    assert (done.returncode, done.stdout) == (0, "ok -- validation done\n"), done.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_script_that_a_workflow_calls_exists(workflow: Path) -> None:
    called = {
        script for step in steps(workflow) for script in re.findall(r"(?:tools|\.ci)/[a-z-]+", step.get("run", ""))
    }
    assert called or workflow.name not in ("ci.yml", "release.yml")
    assert not [script for script in called if not os.access(REPOSITORY / script, os.X_OK) and script != ".ci/run"]
    assert all((REPOSITORY / script).is_file() for script in called)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_leaves_no_credentials(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)] == []
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_only_the_job_that_runs_no_code_of_ours_may_write() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text())
    assert jobs["permissions"] == {}
    writing = {name for name, job in jobs["jobs"].items() if job["permissions"].get("contents") == "write"}
    assert writing == {"publish"}
    assert not [step for step in jobs["jobs"]["publish"]["steps"] if "checkout" in step.get("uses", "")]
    assert yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())["permissions"] == {"contents": "read"}
