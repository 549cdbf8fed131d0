"""What is known of usual servers: which signal ends them well, and whether their workers may get it, too.

Each row was tried: docs/servers.md has the figures of the runs.
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional


class Server(NamedTuple):
    """One program, and what it wants of the init in front of it."""

    name: str  # as people call it
    commands: "tuple[str, ...]"  # base names by which its command line is known
    stop_signal: str  # without SIG: what ends it after the work that it has begun
    why: str  # what TERM, or that signal, does to it
    group_harms: str = ""  # what is lost where its workers get the signals, too; "": nothing is


SERVERS = (
    Server("apache", ("apache2", "httpd"), "WINCH", "WINCH lets requests finish, TERM does not"),
    Server("bash -i", ("bash -i",), "HUP", "an interactive shell ignores TERM"),
    Server(
        "celery",
        ("celery",),
        "TERM",
        "TERM is a warm shutdown: tasks that run are finished",
        "a stop ends a task that runs (WorkerLostError) instead of waiting for it",
    ),
    Server("chromium", ("chromium",), "TERM", "TERM ends it and its processes"),
    Server("cron", ("cron",), "TERM", "TERM ends it"),
    Server("dnsmasq", ("dnsmasq",), "TERM", "TERM ends it"),
    Server(
        "gunicorn",
        ("gunicorn",),
        "TERM",
        "TERM lets requests finish, QUIT does not",
        "a reload by HUP drops requests",
    ),
    Server("haproxy", ("haproxy",), "USR1", "USR1 lets requests finish, TERM does not"),
    Server("lighttpd", ("lighttpd",), "INT", "INT lets requests finish, TERM does not"),
    Server("mariadb", ("mariadbd", "mysqld"), "TERM", "TERM ends the sessions and shuts down"),
    Server("memcached", ("memcached",), "TERM", "TERM ends it"),
    Server("mosquitto", ("mosquitto",), "TERM", "TERM ends it"),
    Server(
        "mysqld_safe",
        ("mysqld_safe", "mariadbd-safe"),
        "TERM",
        "it ignores TERM, which the server in its group does not",
    ),
    Server("named", ("named",), "TERM", "TERM ends it"),
    Server("nginx", ("nginx",), "QUIT", "QUIT lets requests finish, TERM does not"),
    Server(
        "php-fpm",
        ("php-fpm",),
        "QUIT",
        "QUIT lets requests finish, TERM does not",
        "a reload by USR2 drops requests",
    ),
    Server("postfix", ("postfix", "postfix-script"), "TERM", "TERM ends it and its processes"),
    Server("postgresql", ("postgres",), "INT", "INT ends the sessions and shuts down, TERM waits for their end"),
    Server("rabbitmq", ("rabbitmq-server",), "TERM", "TERM ends it"),
    Server("redis", ("redis-server",), "TERM", "TERM saves the data and ends"),
    Server("rsyslog", ("rsyslogd",), "TERM", "TERM writes what is queued and ends"),
    Server("runit", ("runsvdir",), "HUP", "HUP stops the services, TERM leaves them running"),
    Server(
        "squid",
        ("squid",),
        "TERM",
        "TERM lets requests finish, and takes all of shutdown_lifetime, 30 s",
        "its worker gets TERM from its master, too, and a second one cuts requests off",
    ),
    Server("sshd", ("sshd",), "TERM", "TERM ends the listener and leaves the sessions"),
    Server("supervisord", ("supervisord",), "TERM", "TERM stops its programs and ends"),
    Server("tomcat", ("org.apache.catalina.startup.Bootstrap", "catalina.sh"), "TERM", "TERM stops the connectors"),
    Server("unbound", ("unbound",), "TERM", "TERM ends it"),
    Server("uvicorn", ("uvicorn",), "TERM", "TERM lets requests finish"),
    Server("uwsgi", ("uwsgi",), "QUIT", "TERM is a reload, unless --die-on-term or a hook says otherwise"),
    Server(
        "varnish",
        ("varnishd",),
        "TERM",
        "TERM ends it at once",
        "its child's end by TERM is a crash to it: a stop has the status 64",
    ),
    Server("vsftpd", ("vsftpd",), "TERM", "TERM ends the listener and leaves the sessions"),
)

# What runs the program that its command line names further on, and how many words that may be away: an option, or two.
_INTERPRETER = re.compile(r"(python|pypy|perl|ruby)[\d.]*|(ba|da|z|k)?sh|env|su-exec|gosu")
_WORDS = 3
_VERSION = re.compile(r"[\d.]+$")  # php-fpm8.2
_INTERACTIVE = re.compile(r"-\w*i\w*")


def known(command: Sequence[str]) -> "Optional[Server]":
    """Which server a command line starts; None where nothing is known of it."""
    names = set(_names(command))
    return next((each for each in SERVERS if names & set(each.commands)), None)


def _names(command: Sequence[str]) -> "Iterator[str]":
    """By which its program may be known."""
    if not command or not command[0].strip():
        return
    # Masters write titles over their command lines: "nginx: master process nginx -c", "redis-server 127.0.0.1:6379".
    first = os.path.basename(command[0].split()[0].rstrip(":")).lstrip("-")
    words = [first]
    if first == "java":
        words += command  # the class to start is behind any number of options
    elif first == "bash" and any(_INTERACTIVE.fullmatch(word) for word in command[1:_WORDS]):
        words.append("bash -i")
    elif _INTERPRETER.fullmatch(first):
        words += map(os.path.basename, command[1:_WORDS])
    for word in words:
        yield word
        yield _VERSION.sub("", word)
