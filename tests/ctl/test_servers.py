"""By which command lines a server is known. Its real ones are in tests/servers."""

import pytest

from pyinit.ctl.servers import known


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("nginx -c file", "nginx"),
        ("/usr/sbin/nginx", "nginx"),
        ("python3 -m gunicorn app:wsgi", "gunicorn"),
        ("/usr/bin/python3.11 -u /usr/bin/celery worker", "celery"),
        ("sh /usr/bin/gunicorn", "gunicorn"),
        ("-bash -i", "bash -i"),
        ("bash --norc -i", "bash -i"),
    ],
)
def test_server_is_known_by_its_command_line(command: str, name: str) -> None:
    found = known(command.split(" "))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("title", ["nginx: master process nginx -c /etc/redis-server", "nginx:"])
def test_master_is_known_that_has_written_a_title_over_its_command_line(title: str) -> None:
    found = known([title])
    assert found is not None
    assert found.name == "nginx"


@pytest.mark.parametrize("command", ["", "ls /usr/sbin/nginx", "tail -f /var/log/nginx", "bash", "bash -c ls", "redis"])
def test_what_only_names_a_server_is_none(command: str) -> None:
    assert known(command.split(" ")) is None


def test_nothing_is_known_of_a_process_without_a_command_line() -> None:
    assert known([]) is None
