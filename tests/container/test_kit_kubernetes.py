"""docker/kubernetes: a pod whose PID 1 is not pyinit, and its Tiltfile."""

from __future__ import annotations

import ast
import base64
import re
import secrets
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .support import Container, Engine, Podman, Process, built_image, example, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.container, pytest.mark.timeout(180, func_only=True)]

PODS = pytest.mark.only("podman", "has no pods")

SECRET = """\
apiVersion: v1
kind: Secret
metadata: {{name: pyinit-demo}}
data: {{TOKEN: {}}}
"""
PORTS = "      ports: [{containerPort: 8000}]\n"  # podman 4 publishes it on the host, where it may be taken


@pytest.fixture(scope="module")
def folder(zipapp_for_containers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with a secret of its own, as its README makes it."""
    copy = example("kubernetes", tmp_path_factory.mktemp("kit"), zipapp_for_containers)
    token = secrets.token_hex()
    (copy / "secret.yaml").write_text(SECRET.format(base64.b64encode(f"{token}\n".encode()).decode()))
    return copy


@pytest.fixture(scope="module")
def demo(engine: Engine, image: str, folder: Path) -> Iterator[str]:
    """The example's image."""
    with built_image(engine, folder, "--build-arg", f"BASE={image}") as name:
        yield name


@pytest.fixture(scope="module")
def pod_podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """An engine whose soft and hard limits are equal: podman 4.3 takes one for the other in a pod."""
    directory = tmp_path_factory.mktemp("podman")
    engine = Podman(directory)
    [configuration] = directory.iterdir()
    configuration.write_text(configuration.read_text().replace("nofile=1024:4096", "nofile=4096:4096"))
    return engine


class Pod:
    """The pod with its two containers, each pyinit with one program; under a name of this test's."""

    def __init__(self, engine: Engine, name: str, directory: Path) -> None:
        self.engine = engine
        self.name = name
        self.manifest = directory / "pod.yaml"
        self.server = Container(engine, f"{name}-server")
        self.watcher = Container(engine, f"{name}-watcher")

    def start(self, secret: Path) -> None:
        for file in (secret, self.manifest):
            self.engine("kube", "play", "--network", "podman", str(file))
        self.server.wait_for_line("ready")

    def remove(self) -> None:
        self.engine("pod", "rm", "--force", "--time", "0", self.name, check=False)
        self.engine("secret", "rm", self.name, check=False)
        self.engine("volume", "rm", self.name, check=False)

    def ask(self, method: str = "GET", path: str = "/") -> str:
        """What the server answers, which the host reaches at the pod's address."""
        address = self.engine("exec", self.server.name, "hostname", "-i").stdout.split()[0]
        request = urllib.request.Request(f"http://{address}:8000{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.read().decode().strip())

    def processes(self) -> dict[int, Process]:
        """All of the pod's, by PID."""
        return {each.pid: each for each in self.server.processes()}

    def pid_of(self, program: str) -> int:
        [pid] = [each.pid for each in self.server.processes() if each.arguments == program]
        return pid


@pytest.fixture
def pod(pod_podman: Podman, demo: str, folder: Path, tmp_path: Path) -> Iterator[Pod]:
    name = demo.rpartition("/")[2]
    for file in ("pod.yaml", "secret.yaml"):
        (tmp_path / file).write_text((folder / file).read_text().replace("pyinit-demo", name).replace(PORTS, ""))
    made = Pod(pod_podman, name, tmp_path)
    try:
        made.start(tmp_path / "secret.yaml")
        yield made
    finally:
        made.remove()


@PODS
def test_program_is_a_child_of_pyinit_which_is_not_pid_1_and_adopts_and_reaps_its_orphans(pod: Pod) -> None:
    parent = pod.processes()[pod.pid_of("python3 /srv/server.py")].parent
    assert "/pyinit --subreaper" in pod.processes()[parent].arguments
    assert parent != 1
    assert "pyinit" not in pod.processes()[1].arguments

    left = int(pod.ask("POST"))
    assert (pod.processes()[left].parent, pod.processes()[left].arguments) == (parent, "sleep 600")
    pod.watcher.exec("sh", "-c", f"kill {left}")
    wait_until(lambda: f"reaped orphan {left} (sleep), status 143" in pod.server.logs().stderr, "pyinit to reap it")
    assert left not in pod.processes()
    assert "Z" not in {each.state for each in pod.processes().values()}


@PODS
def test_stop_answers_the_request_in_flight_ends_what_is_left_and_leaves_the_other_container_alone(pod: Pod) -> None:
    left = pod.ask("POST")
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(pod.ask(path="/slow")), daemon=True)
    connections = Path(f"/proc/{pod.watcher.host_pid()}/net/tcp")  # of the pod; an exec takes as long as the request
    slow.start()
    wait_until(lambda: re.search(rf":{8000:04X} [0-9A-F]+:[0-9A-F]+ 01 ", connections.read_text()), "the request")

    pod.engine("stop", "--time", "30", pod.server.name)
    slow.join(30)
    assert [answer.startswith("the token has") for answer in answers] == [True]
    assert pod.server.inspect("{{.State.ExitCode}}") == "0"
    assert pod.server.lines()[-1] == "ended"
    assert f"reaped orphan {left} (sleep), status 143" in pod.server.logs().stderr, "TERM and not KILL"
    assert pod.watcher.is_running()
    assert "sleep infinity" in {each.arguments for each in pod.watcher.processes()}
    pod.engine("stop", "--time", "30", pod.watcher.name)
    assert pod.watcher.inspect("{{.State.ExitCode}}") == "143", "TERM, too"


@PODS
def test_pod_has_its_secret_and_no_rights_to_speak_of(pod: Pod) -> None:
    secret = pod.server.exec("cat", "/run/secrets/demo/TOKEN").stdout.strip()
    assert len(secret) >= 64
    assert pod.ask() == f"the token has {len(secret)} characters"
    assert pod.engine("healthcheck", "run", pod.server.name).returncode == 0

    for process in (pod.pid_of("python3 /srv/server.py"), pod.pid_of("sleep infinity")):
        status = pod.watcher.exec("cat", f"/proc/{process}/status").stdout
        values = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert values["Uid"].split() == ["10000"] * 4
        assert values["Gid"].split() == ["10000"] * 4
        assert {values[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert (values["NoNewPrivs"], values["Seccomp"]) == ("1", "2")
    assert "Read-only file system" in pod.server.exec("touch", "/srv/new", check=False).stderr


def manifest(folder: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    loaded: dict[str, Any] = yaml.safe_load((folder / "pod.yaml").read_text())
    return loaded


def test_pod_is_what_the_schema_of_kubernetes_says(folder: Path) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    pod = manifest(folder)
    newest = kubernetes_validate.latest_version()
    for version in ("1.25", newest):
        kubernetes_validate.validate(pod, version, strict=True)
    pod["spec"]["shareProcessNamespaces"] = pod["spec"].pop("shareProcessNamespace")
    with pytest.raises(kubernetes_validate.ValidationError, match="shareProcessNamespaces"):
        kubernetes_validate.validate(pod, newest, strict=True)


def test_times_of_the_pod_fit(folder: Path) -> None:
    pod = manifest(folder)
    command = pod["spec"]["containers"][0]["command"]
    stop_timeout, grace = (int(command[command.index(option) + 1]) for option in ("--stop-timeout", "--grace"))
    assert stop_timeout < grace < pod["spec"]["terminationGracePeriodSeconds"]


def test_tiltfile_names_files_images_and_the_pod_that_there_are(folder: Path) -> None:
    """Starlark is Python by its grammar, as far as this file goes."""
    calls: dict[str, ast.Call] = {}
    for statement in ast.parse((folder / "Tiltfile").read_text()).body:
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Call)
        assert isinstance(statement.value.func, ast.Name)
        calls[statement.value.func.id] = statement.value
    first = {name: ast.literal_eval(call.args[0]) for name, call in calls.items()}
    options = {
        name: {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        for name, call in calls.items()
    }
    pod = manifest(folder)
    assert set(calls) == {"local_resource", "docker_build", "k8s_yaml", "k8s_resource"}
    assert {container["image"] for container in pod["spec"]["containers"]} == {f"{first['docker_build']}:latest"}
    assert (folder / ast.literal_eval(calls["docker_build"].args[1]) / "Dockerfile").is_file()
    assert all((folder / name).is_file() for name in first["k8s_yaml"])
    assert first["k8s_resource"] == pod["metadata"]["name"]
    assert options["k8s_resource"]["resource_deps"] == [first["local_resource"]]
    assert options["local_resource"]["deps"] == ["../../pyinit"]
