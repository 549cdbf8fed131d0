"""What `pip install` gives, from the wheel and from the sdist: both commands, their types, the license, and no more."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from pyinit import __version__
from tests.support import REPOSITORY


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> "dict[str, Path]":
    """The wheel and the sdist, the one made out of the other."""
    directory = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory)]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    (wheel,) = directory.glob("*.whl")
    (sdist,) = directory.glob("*.tar.gz")
    return {"wheel": wheel, "sdist": sdist}


@pytest.fixture
def wheel(built: "dict[str, Path]") -> Path:
    return built["wheel"]


def test_the_wheel_has_the_package_and_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        information = f"pyinit_container-{__version__}.dist-info"
        metadata = archive.read(f"{information}/METADATA").decode()
        commands = archive.read(f"{information}/entry_points.txt").decode()
    assert wheel.name == f"pyinit_container-{__version__}-py3-none-any.whl"
    assert {"pyinit/__main__.py", "pyinit/py.typed", "pyinit/ctl/__main__.py"} <= set(names)
    assert [name for name in names if name.endswith("LICENSE")]
    manuals = f"pyinit_container-{__version__}.data/data/share/man/man1/"
    assert [name for name in names if name.startswith(manuals)] == [f"{manuals}pyinit.1", f"{manuals}pyinitctl.1"]
    assert not [name for name in names if not name.startswith(("pyinit/", information, manuals)) or "test" in name]
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ") and "extra" not in line]
    assert [line.split()[1].partition(">")[0] for line in needed] == ["click", "psutil", "rich"]
    assert "pyinit = pyinit.__main__:main" in commands
    assert "pyinitctl = pyinit.ctl.__main__:main" in commands


def test_the_sdist_has_what_builds_and_tests_it_and_no_more(built: "dict[str, Path]") -> None:
    root = f"pyinit_container-{__version__}"
    with tarfile.open(built["sdist"]) as archive:
        members = {member.name: member for member in archive}
        owners = {(member.uid, member.gid, member.uname) for member in archive}
    assert built["sdist"].name == f"{root}.tar.gz"
    names = {name[len(root) + 1 :] for name in members}
    assert {
        ".ci/run",
        ".github/workflows/release.yml",
        "tools/release",
        "tests/conftest.py",
        "stubs/_signal.pyi",
    } <= names
    kept = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md"}
    kept |= {"Dockerfile", "PKG-INFO", "pyproject.toml", ".gitignore"}
    kept |= {".ci", ".github", "benchmarks", "docker", "docs", "pyinit", "stubs", "tests", "tools"}
    assert {name.partition("/")[0] for name in names} == kept
    assert not [
        name for name in names if "__pycache__" in name or (name.startswith("docker/") and name.endswith("/pyinit"))
    ]
    assert members[f"{root}/tools/release"].mode & 0o111
    assert owners == {(0, 0, "")}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_installed_commands_work(built: "dict[str, Path]", tmp_path: Path, kind: str) -> None:
    """In an environment that has click, psutil, rich and hatchling from the one that runs the tests."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, stdin=subprocess.DEVNULL)
    (libraries,) = environment.glob("lib/python3*/site-packages")
    installed = Path(subprocess.check_output([sys.executable, "-c", "import click; print(click.__file__)"], text=True))
    (libraries / "borrowed.pth").write_text(f"{installed.parent.parent}\n")
    command = [str(environment / "bin/pip"), "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    # pip takes the editable install that it can see through borrowed.pth for the one asked for.
    command += ["--ignore-installed", str(built[kind])]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    code = "import pyinit; print(pyinit.__file__)"
    where = subprocess.check_output([environment / "bin/python", "-c", code], text=True, cwd=tmp_path).strip()
    assert where == str(libraries / "pyinit/__init__.py")
    assert (
        environment / "share/man/man1/pyinit.1"
    ).is_file()  # where man looks for what is found in PATH (man 1 manpath)
    run = subprocess.run([environment / "bin/pyinit", "--", "sh", "-c", "exit 7"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (7, "")
    file = tmp_path / "file"
    python = "/usr/bin/python3"
    subprocess.run([environment / "bin/pyinitctl", "build", "-o", file, "--python", python], check=True, cwd=tmp_path)
    assert subprocess.run([file, "-V"], capture_output=True, text=True).stdout == f"pyinit {__version__}\n"
