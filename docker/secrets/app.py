"""A program that needs a password, and takes it from a file, from the network, or from a variable."""

import os
import subprocess
import time
import urllib.error
import urllib.request


def fetched(url: str, token: str) -> str:
    """What the endpoint answers; it may be a few seconds late in starting."""
    # Without the proxies of the environment: the endpoint is a neighbour.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + 30
    while True:
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:  # it has refused
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def password() -> str:
    """The password, as the environment says where it is."""
    if path := os.environ.get("PASSWORD_FILE"):
        with open(path) as file:
            return file.read().rstrip("\n")
    if url := os.environ.get("PASSWORD_URL"):
        return fetched(url, os.environ["TOKEN"])
    return os.environ["PASSWORD"]


secret = password()
worker = subprocess.Popen(["sleep", "infinity"])  # any child that it may have
print(f"has a password of {len(secret)} characters", flush=True)
worker.wait()
