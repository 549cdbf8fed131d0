"""What `pip install` gives: both commands, their types, the license, and nothing that is not wanted."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pyinit import __version__
from tests.support import REPOSITORY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    (found,) = directory.glob("*.whl")
    return found


def test_the_wheel_has_the_package_and_says_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        information = f"pyinit-{__version__}.dist-info"
        metadata = archive.read(f"{information}/METADATA").decode()
        commands = archive.read(f"{information}/entry_points.txt").decode()
    assert wheel.name == f"pyinit-{__version__}-py3-none-any.whl"
    assert {"pyinit/__main__.py", "pyinit/py.typed", "pyinit/ctl/__main__.py"} <= set(names)
    assert [name for name in names if name.endswith("LICENSE")]
    assert not [name for name in names if not name.startswith(("pyinit/", information)) or "test" in name]
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ") and "extra" not in line]
    assert [line.split()[1].partition(">")[0] for line in needed] == ["click", "psutil"]
    assert "pyinit = pyinit.__main__:main" in commands
    assert "pyinitctl = pyinit.ctl.__main__:main" in commands


def test_the_installed_commands_work(wheel: Path, tmp_path: Path) -> None:
    """In an environment that has click and psutil from the one that runs the tests."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, stdin=subprocess.DEVNULL)
    (libraries,) = environment.glob("lib/python3*/site-packages")
    installed = Path(subprocess.check_output([sys.executable, "-c", "import click; print(click.__file__)"], text=True))
    (libraries / "borrowed.pth").write_text(f"{installed.parent.parent}\n")
    command = [str(environment / "bin/pip"), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    run = subprocess.run([environment / "bin/pyinit", "--", "sh", "-c", "exit 7"], capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (7, "")
    built = tmp_path / "built"
    python = "/usr/bin/python3"
    subprocess.run([environment / "bin/pyinitctl", "build", "-o", built, "--python", python], check=True, cwd=tmp_path)
    assert subprocess.run([built, "-V"], capture_output=True, text=True).stdout == f"pyinit {__version__}\n"
