"""pyinitctl adopt with real images: what it finds out, what it changes, and that what it builds ends well."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .support import (
    PROGRAMS,
    REPOSITORY,
    Containers,
    assert_takes_signals_and_stops,
    built_image,
    copied,
    once_more,
    unavailable,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .support import Engine, Finished

pytestmark = [pytest.mark.container, pytest.mark.timeout(300, func_only=True)]

MATERIALS = """\
FROM {image}
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin
COPY site-packages /site
COPY bin/gunicorn bin/bare bin/forwarding bin/exec /usr/local/bin/
COPY bin/app.py /srv/
COPY nginx.conf /etc/nginx/nginx.conf
COPY bin/old /opt/old/bin/python3
COPY bin/broken /opt/broken/libz.so.1
"""

GUNICORN_COMMAND = """\
#!/usr/bin/python3
import sys
sys.path.insert(0, "/site")
from gunicorn.app.wsgiapp import run
run()
"""

SCRIPTS = {
    "gunicorn": GUNICORN_COMMAND,
    "bare": '#!/bin/sh\necho preparing\n"$@"\n',  # a shell stays, and passes nothing on
    "exec": '#!/bin/sh\necho preparing\nexec "$@"\n',
    "forwarding": '#!/bin/sh\n"$@" & pid=$!\ntrap "kill $pid" TERM\nwait $pid\n',
    "broken": "this is no library\n",
}

# An answer that is begun when somebody asks, and finished when the test says so.
APP = """\
import os, time
def application(environment, start_response):
    open("/run/test/asked", "w").close()
    while not os.path.exists("/run/test/go"):
        time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"complete"]
"""

NGINX_CONF = """\
user root;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    server {
        listen unix:/run/test/web.sock;
        location / { proxy_pass http://unix:/run/test/upstream.sock; }
    }
}
"""

# An interpreter as old images have it.
OLD = '#include <stdio.h>\nint main(void) { puts("3.6.8"); return 0; }\n'

GUNICORN = ("gunicorn", "--bind=unix:/run/test/web.sock", "--workers=2", "--chdir=/srv", "app")


def adopt(engine: Engine, *words: object, **environment: str) -> Finished[str]:
    """Run `pyinitctl adopt` with one engine, as its user would."""
    command = [sys.executable, "-m", "pyinit.ctl", "adopt", "--engine", engine.name, *map(str, words)]
    return engine.run(command, REPOSITORY, {**engine.environment, **environment}, check=False, seconds=240)


def adopted(engine: Engine, *words: object, **environment: str) -> dict[str, Any]:
    """What it says as JSON."""
    done = adopt(engine, *words, "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def texts(told: dict[str, Any], kind: str) -> list[str]:
    return [remark["text"] for remark in told["remarks"] if remark["kind"] == kind]


def gunicorn(directory: Path) -> None:
    """Its files, for the image's interpreter: they are Python's alone."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(directory)]

    def install() -> None:
        done = subprocess.run([*command, "gunicorn~=23.0"], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            unavailable(f"gunicorn is not to be had: {done.stderr.strip()}")

    once_more(install)


@pytest.fixture(scope="module")
def materials(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base image with all that the images here start."""
    context = tmp_path_factory.mktemp("materials")
    (context / "bin").mkdir()
    gunicorn(context / "site-packages")
    for name, text in SCRIPTS.items():
        (context / "bin" / name).write_text(text)
        (context / "bin" / name).chmod(0o755)
    (context / "bin/app.py").write_text(APP)
    (context / "nginx.conf").write_text(NGINX_CONF)
    subprocess.run(["cc", "-Os", "-static", "-o", context / "bin/old", "-xc", "-"], input=OLD, text=True, check=True)
    (context / "Dockerfile").write_text(MATERIALS.format(image=image))
    with built_image(engine, context) as name:
        yield name


class Images:
    """Images that differ in their configuration alone, made when a test asks for one; and names for what is built."""

    def __init__(self, engine: Engine, materials: str, directory: Path) -> None:
        self._engine = engine
        self._materials = materials
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._made: dict[str, str] = {}
        self._number = 0

    def __call__(self, *lines: str, base: str = "", options: tuple[str, ...] = ()) -> str:
        """An image with these lines of a Dockerfile."""
        text = "\n".join([f"FROM {base or self._materials}", *lines, ""])
        if text not in self._made:
            context = self.context()
            (context / "Dockerfile").write_text(text)
            form = ("--format", "docker") if self._engine.name == "podman" else ()
            self._made[text] = self._stack.enter_context(built_image(self._engine, context, *form, *options))
        return self._made[text]

    def context(self) -> Path:
        """A new directory."""
        self._number += 1
        directory = self._directory / str(self._number)
        directory.mkdir()
        return directory

    def tag(self, source: str) -> str:
        """A name for an image that is made of another one; that image goes in the end."""
        name = f"{source}-adopted"
        self._stack.callback(lambda: self._engine("rmi", "--force", name, check=False))
        return name

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def images(engine: Engine, materials: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    made = Images(engine, materials, tmp_path_factory.mktemp("images"))
    try:
        yield made
    finally:
        made.close()


def configuration(engine: Engine, name: str) -> dict[str, Any]:
    told = json.loads(engine("image", "inspect", name).stdout)[0]
    return {**told["Config"], "Healthcheck": told["Config"].get("Healthcheck") or told.get("Healthcheck")}


# What people are to get: one command, and the image stops gracefully.


class Request:
    """A request to the server in a container, over a socket in a directory that both have; answered when it may be."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.answer = ""
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        with connected(self.directory / "web.sock") as there:
            connection = http.client.HTTPConnection("server")
            connection.sock = there
            connection.request("GET", "/")
            self.answer = connection.getresponse().read().decode()

    def finish(self) -> str:
        self._thread.join(60)
        return self.answer


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as there:
        there.settimeout(60)
        there.connect(str(path))
        yield there


def takes_requests(path: Path) -> bool:
    try:
        with connected(path):
            return True
    except OSError:
        return False


class Upstream:
    """What nginx asks on behalf of who asks it: an answer that is held back."""

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(directory / "upstream.sock"))
        self._socket.listen()
        self.directory = directory
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        there, _ = self._socket.accept()
        there.recv(65536)
        (self.directory / "asked").touch()
        wait_until((self.directory / "go").exists, "the test to let the answer go")
        there.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\ncomplete")
        there.close()

    def close(self) -> None:
        self._thread.join(60)
        self._socket.close()


def stopped_in_a_request(engine: Engine, name: str, directory: Path) -> tuple[str, int]:
    """Stop a server while it answers. Returns what the client got, and the container's status."""
    directory.chmod(0o777)
    with Containers(engine, name, None) as made:
        web = made.start(init=None, options=["--volume", f"{directory}:/run/test", "--network", "none"])
        wait_until(lambda: takes_requests(directory / "web.sock"), "the server to take requests")
        request = Request(directory)
        wait_until((directory / "asked").exists, "the server to have the request")
        stopping = threading.Thread(target=web.stop)
        stopping.start()
        wait_until(lambda: not takes_requests(directory / "web.sock"), "the server to take no more requests")
        (directory / "go").touch()
        answer = request.finish()
        stopping.join(60)
        return answer, web.wait()


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")  # short: a socket's path has 107 bytes


def test_nginx_finishes_its_requests_in_one_command(engine: Engine, images: Images, shared: Path) -> None:
    """By QUIT, from its row of the table."""
    source = images('CMD ["nginx", "-g", "daemon off;"]')
    tag = images.tag(source)
    done = adopt(engine, source, "-t", tag)
    assert (done.returncode, done.stderr) == (0, "")
    config = configuration(engine, tag)
    assert config["Entrypoint"] == ["/pyinit", "-r", "TERM:QUIT", "--"]
    assert config["Cmd"] == ["nginx", "-g", "daemon off;"]
    upstream = Upstream(shared)
    assert stopped_in_a_request(engine, tag, shared) == ("complete", 0)
    upstream.close()


def test_gunicorn_finishes_its_requests_in_one_command(engine: Engine, images: Images, shared: Path) -> None:
    source = images(f"CMD {' '.join(GUNICORN)}")  # the shell form
    tag = images.tag(source)
    done = adopt(engine, source, "-t", tag)
    assert (done.returncode, done.stderr) == (0, "")
    config = configuration(engine, tag)
    assert config["Entrypoint"] == ["/pyinit", "-c", "--"]
    assert config["Cmd"] == ["/bin/sh", "-c", f"exec {' '.join(GUNICORN)}"]
    assert stopped_in_a_request(engine, tag, shared) == ("complete", 0)


def test_a_script_without_exec_is_said_and_its_server_finishes_in_one_command(
    engine: Engine, images: Images, shared: Path
) -> None:
    source = images('ENTRYPOINT ["bare"]', f"CMD {json.dumps(GUNICORN)}")
    tag = images.tag(source)
    done = adopt(engine, source, "-t", tag)
    assert (done.returncode, done.stderr) == (0, "")
    assert "doubt: the script /usr/local/bin/bare has no exec" in done.stdout
    assert configuration(engine, tag)["Entrypoint"] == ["/pyinit", "--", "bare"]
    assert stopped_in_a_request(engine, tag, shared) == ("complete", 143)  # the shell's status, as it is said


# What is found out about images.


CASES: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {
    # the image; pyinit's command line; CMD; the beginnings of doubts
    "a script with exec": (['ENTRYPOINT ["exec"]', 'CMD ["sleep", "9"]'], ["--", "exec"], ["sleep", "9"], []),
    "a script that hands on": (
        ['ENTRYPOINT ["forwarding", "sleep", "9"]'],
        ["-c", "--", "forwarding", "sleep", "9"],
        [],
        [],
    ),
    "the shell form": (["ENTRYPOINT sleep $TIME"], ["--", "/bin/sh", "-c", "exec sleep $TIME"], [], []),
    "the shell form of two commands": (
        ["CMD true && sleep 9"],
        ["--"],
        ["/bin/sh", "-c", "true && sleep 9"],
        ["the shell of /bin/sh -c has no exec"],
    ),
    "tini": (['ENTRYPOINT ["tini", "-w", "--"]', 'CMD ["sleep", "9"]'], ["-c", "-w", "--"], ["sleep", "9"], []),
    "dumb-init that rewrites": (
        ['ENTRYPOINT ["/usr/bin/dumb-init", "--rewrite", "15:3", "--", "sleep"]', 'CMD ["9"]'],
        ["--session", "-r", "TERM:QUIT", "--", "sleep"],
        ["9"],
        [],
    ),
    "a user and a stop signal": (
        ["USER 33:33", "STOPSIGNAL SIGUSR1", "WORKDIR /srv", 'CMD ["sleep", "9"]'],
        ["--stop-signal", "USR1", "--"],
        ["sleep", "9"],
        [],
    ),
    "nothing to start": (["LABEL a=b"], ["--"], [], ["the image has neither ENTRYPOINT nor CMD"]),
    "a file that is not there": (['ENTRYPOINT ["/no/such"]'], ["--", "/no/such"], [], ["/no/such is not in the image"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_made_of_an_image(
    engine: Engine, images: Images, tmp_path: Path, zipapp_for_containers: Path, name: str
) -> None:
    lines, entrypoint, cmd, doubts = CASES[name]
    told = adopted(engine, images(*lines), "-o", tmp_path / "out", "--file", zipapp_for_containers)
    assert (told["entrypoint"], told["cmd"]) == (["/pyinit", *entrypoint], cmd)
    found = texts(told, "doubt")
    assert len(found) == len(doubts)
    assert all(text.startswith(start) for text, start in zip(found, doubts))
    written = (tmp_path / "out/Dockerfile").read_text()
    assert f"ENTRYPOINT {json.dumps(told['entrypoint'])}\n" in written
    assert (tmp_path / "out/pyinit").read_bytes() == zipapp_for_containers.read_bytes()


def test_postgres_gets_its_int(engine: Engine, images: Images, tmp_path: Path, zipapp_for_containers: Path) -> None:
    source = images(
        "USER postgres", 'ENTRYPOINT ["exec"]', 'CMD ["/usr/lib/postgresql/15/bin/postgres", "-D", "/data"]'
    )
    told = adopted(engine, source, "-o", tmp_path, "--file", zipapp_for_containers)
    assert told["entrypoint"] == ["/pyinit", "-r", "TERM:INT", "--", "exec"]
    assert told["user"] == "postgres"


def test_what_is_not_pyinits_stays_as_it_was(engine: Engine, images: Images, zipapp_for_containers: Path) -> None:
    source = images(
        *(
            "USER 33",
            "WORKDIR /srv",
            "STOPSIGNAL SIGINT",
            'ENV NAME="a b $x"',
            "EXPOSE 80",
            'LABEL a="b"',
            "VOLUME /data",
        ),
        *(
            "HEALTHCHECK --interval=9s CMD true",
            'ENTRYPOINT ["exec"]',
            'CMD ["sh", "-c", "id -u; pwd; echo \\"$NAME\\""]',
        ),
    )
    tag = images.tag(source)
    adopted(engine, source, "-t", tag, "--file", zipapp_for_containers)
    before, after = configuration(engine, source), configuration(engine, tag)
    assert after["Healthcheck"]["Interval"] == 9 * 10**9
    # Docker's says of a build what was built on.
    different = {key for key in {**before, **after} if before.get(key) != after.get(key)} - {"Image", "Labels"}
    assert different == {"Entrypoint"}
    assert after["Labels"]["a"] == "b"
    with Containers(engine, tag, None) as made:
        done = made.run(init=None, options=["--no-healthcheck"])  # which podman has systemd do
        assert (done.returncode, done.stdout, done.stderr) == (0, "preparing\n33\n/srv\na b \n", "")


def test_a_user_is_taken_on(engine: Engine, images: Images, zipapp_for_containers: Path) -> None:
    source = images("USER 33", 'CMD ["id", "-un"]')
    tag = images.tag(source)
    told = adopted(engine, source, "-t", tag, "--force", "--file", zipapp_for_containers, "--user", "postgres")
    assert told["entrypoint"] == ["/pyinit", "-u", "postgres", "--"]
    with Containers(engine, tag, None) as made:
        assert made.run(init=None).stdout == "postgres\n"
        assert made.run("cat", "/proc/1/status", init=None, options=["--entrypoint", ""]).stdout.find("Uid:\t0\t") > 0


# Who runs pyinit in the image.


def test_an_interpreter_that_is_too_old_is_passed_over(engine: Engine, images: Images, tmp_path: Path) -> None:
    """And its neighbour makes its own byte code."""
    source = images("ENV PATH=/opt/old/bin:/usr/bin:/bin", 'CMD ["true"]')
    told = adopted(engine, source, "-o", tmp_path)
    assert (told["file"], told["python"]) == ("zipapp", "/usr/bin/python3")
    assert f"{told['python']} of the image, 3.11." in texts(told, "note")[-1]
    done = adopt(engine, source, "-o", tmp_path, "--force", "--python", "/opt/old/bin/python3", CC="false")
    assert done.returncode == 2
    assert "/opt/old/bin/python3 is Python 3.6.8, and pyinit needs 3.9" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_libraries_that_break_the_interpreter_are_the_programs_alone(engine: Engine, images: Images) -> None:
    """Where no standalone file, which is immune, can be built."""
    source = images("ENV LD_LIBRARY_PATH=/opt/broken", 'CMD ["sh", "-c", "echo $LD_LIBRARY_PATH"]')
    tag = images.tag(source)
    told = adopted(engine, source, "-t", tag, CC="false")
    assert told["entrypoint"] == ["/pyinit", "--", "env", "LD_LIBRARY_PATH=/opt/broken"]
    assert any("does not start with the image's LD_LIBRARY_PATH" in text for text in texts(told, "note"))
    with Containers(engine, tag, None) as made:
        done = made.run(init=None)
        assert (done.returncode, done.stdout, done.stderr) == (0, "/opt/broken\n", "")


@pytest.fixture(scope="module")
def alone(engine: Engine, images: Images) -> str:
    """FROM scratch, with one static program."""
    context = images.context()
    subprocess.run(["gcc", "-Os", "-static", "-s", "-o", context / "alone", PROGRAMS / "alone.c"], check=True)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY alone /\nENTRYPOINT ["/alone"]\nCMD ["signals"]\n')
    return images._stack.enter_context(built_image(engine, context))


def test_an_image_with_one_static_program_gets_the_standalone_file(engine: Engine, images: Images, alone: str) -> None:
    tag = images.tag(alone)
    told = adopted(engine, alone, "-t", tag)
    assert (told["file"], told["python"], texts(told, "doubt")) == ("standalone", None, [])
    with Containers(engine, tag, None) as made:
        assert_takes_signals_and_stops(made.start(init=None))


def test_an_image_of_another_architecture_is_refused_where_the_file_cannot_be_built(
    engine: Engine, images: Images, tmp_path: Path
) -> None:
    other = "arm64" if os.uname().machine == "x86_64" else "amd64"
    source = images('CMD ["/server"]', base="scratch", options=("--platform", f"linux/{other}"))
    done = adopt(engine, source, "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"is for {other} and has no python3" in done.stderr
    assert not (tmp_path / "out").exists()


# Nothing is overwritten, nothing is left behind.


def test_what_is_there_is_not_replaced(
    engine: Engine, images: Images, tmp_path: Path, zipapp_for_containers: Path
) -> None:
    source = images('CMD ["true"]')
    (tmp_path / "Dockerfile").write_text("mine\n")
    done = adopt(engine, source, "-o", tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: -o: '{tmp_path}/Dockerfile' is there already: --force replaces it\n",
    )
    done = adopt(engine, source, "-t", source)
    assert done.returncode == 2
    assert "has an image" in done.stderr
    assert (tmp_path / "Dockerfile").read_text() == "mine\n"
    copied(zipapp_for_containers, tmp_path, "given")
    adopted(engine, source, "-o", tmp_path, "--force", "--file", tmp_path / "given")
    assert (tmp_path / "Dockerfile").read_text().endswith('CMD ["true"]\n')


@pytest.mark.parametrize(
    "line",
    [
        "WORKDIR /pyinit",
        "RUN ln -s /tmp /pyinit",
        pytest.param(
            "RUN ln -s /nothing /pyinit", marks=pytest.mark.only("docker", "finds no link that leads nowhere")
        ),
        "VOLUME /pyinit",
    ],
)
def test_an_image_in_which_our_place_is_taken_is_refused(
    engine: Engine, images: Images, tmp_path: Path, line: str
) -> None:
    done = adopt(engine, images(line, 'CMD ["true"]'), "-o", tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert list(tmp_path.iterdir()) == []


def test_empty_arguments_stay(engine: Engine, images: Images, zipapp_for_containers: Path) -> None:
    source = images('ENTRYPOINT ["printf", "[%s]", "", "a", ""]', 'CMD ["", "z"]')
    tag = images.tag(source)
    adopted(engine, source, "-t", tag, "--file", zipapp_for_containers)
    with Containers(engine, tag, None) as made:
        assert made.run(init=None).stdout == "[][a][][][z]"


def test_an_image_that_nobody_has_is_one_line(engine: Engine, materials: str, tmp_path: Path) -> None:
    done = adopt(engine, f"{materials}-not", "-o", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"Error: {engine.name} has no image '{materials}-not' (`{engine.name} pull` brings it)\n")


def test_onbuild_steps_are_said_and_not_run_by_a_build(
    engine: Engine, images: Images, tmp_path: Path, zipapp_for_containers: Path
) -> None:
    source = images("ONBUILD COPY . /app", 'CMD ["true"]')
    told = adopted(engine, source, "-o", tmp_path, "--file", zipapp_for_containers)
    assert "ONBUILD steps, which run in this build and are gone then: COPY . /app" in texts(told, "doubt")[0]
    if engine.name == "docker":  # podman has them in the history alone, where those of others are, too
        done = adopt(engine, source, "-t", images.tag(source))
        assert done.returncode == 2
        assert "has ONBUILD steps" in done.stderr


def ours(engine: Engine) -> list[str]:
    """The containers of an adoption that runs, or has left some. Tests beside this one may have theirs."""
    return engine("ps", "--all", "--format", "{{.Names}}", "--filter", "name=pyinit-adopt").stdout.split()


def test_nothing_is_left_after_ctrl_c(engine: Engine, images: Images, tmp_path: Path) -> None:
    source = images('CMD ["true"]')
    before = ours(engine)
    command = [
        sys.executable,
        "-m",
        "pyinit.ctl",
        "adopt",
        "--engine",
        engine.name,
        source,
        "-o",
        str(tmp_path / "out"),
    ]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=engine.environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        (name,) = wait_until(lambda: [each for each in ours(engine) if each not in before][:1], "its container")
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors.strip()) == (130, "")
    assert name not in ours(engine)
    assert not (tmp_path / "out").exists()


def test_without_a_choice_the_engine_that_has_the_image_is_asked(
    engine: Engine, images: Images, tmp_path: Path, zipapp_for_containers: Path
) -> None:
    command = [sys.executable, "-m", "pyinit.ctl", "adopt", images('CMD ["true"]'), "-o", str(tmp_path), "--json"]
    done = engine.run([*command, "--file", str(zipapp_for_containers)], REPOSITORY)
    assert json.loads(done.stdout)["engine"] == engine.name
