"""A short form of `python -m tests.fuzz.guided`, where atheris is installed: it has no wheels for every machine."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.support import LONG, WATCHDOG
from tests.support import REPOSITORY

GUIDED = [sys.executable, "-m", "tests.fuzz.guided"]

if importlib.util.find_spec("atheris"):

    @WATCHDOG
    def test_inputs_that_reach_new_code_break_nothing(tmp_path: Path) -> None:
        usage = subprocess.run(GUIDED, cwd=REPOSITORY, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        names = [line for line in usage.stderr.split("\n") if line.startswith("test_")]
        assert names
        limit = "-max_total_time=90" if LONG else "-runs=100"
        for name in names:
            done = subprocess.run(
                [*GUIDED, name, limit, f"-artifact_prefix={tmp_path}/"],
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
            assert done.returncode == 0, done.stderr
            assert "DONE" in done.stderr
