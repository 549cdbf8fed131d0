"""What /proc says of processes, whatever they call themselves."""

import subprocess
import sys

from pyinit.kernel import proc
from tests.support import wait_until

NAME = "x\rSigIgn:\tffff"  # PR_SET_NAME takes 15 bytes (man 2 PR_SET_NAME)


def test_a_name_with_a_carriage_return_is_no_line_of_its_own() -> None:
    program = f"import ctypes, time; ctypes.CDLL(None).prctl(15, {NAME.encode()!r}); print(flush=True); time.sleep(99)"
    with subprocess.Popen([sys.executable, "-ISc", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            wait_until(lambda: proc.status(process.pid)[b"Name"] == NAME.encode()[:15], "it has its name")
            assert proc.disposition(process.pid, 1) == "default"
        finally:
            process.kill()
