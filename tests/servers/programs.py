"""The programs of the trials, as data: how each is started, asked, told to reload and stopped, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple


class Request(NamedTuple):
    """Something that is asked of a server, and answered or not."""

    words: tuple[str, ...]  # of client.py, run outside of the container; or of `sh -c`, run in it
    inside: bool = False


def http(path: str = "/index.html", port: int = 8000, text: str = "served", proxied: str = "") -> Request:
    return Request(("http", str(port), path, text, *([proxied] if proxied else [])))


def tcp(port: int, sent: str, text: str) -> Request:
    return Request(("tcp", str(port), sent, text))


def inside(script: str) -> Request:
    return Request((script,), inside=True)


class Program(NamedTuple):
    """One row. `command` takes the shell's place, so that the container's program is the server itself."""

    name: str
    command: str  # shell words
    request: Request
    stop_signal: str  # without SIG: the one that pyinit sends for the engine's TERM
    why: str
    slow: Request | None = None  # one that takes seconds, for a stop in the middle of it
    single: bool = False  # whether it wants -c
    prepare: str = ""  # shell lines before that
    beside: str = ""  # shell lines in a process of their own, such as a proxy's backend
    reload: str = ""  # the signal for it, where there is one
    status: int = 0  # of a stop with pyinit
    answered: bool | None = True  # whether `slow` is, when it is stopped with pyinit; None: sometimes
    shell: bool = False  # the command is one: nothing is exec'd, and /proc has a shell's name
    note: str = ""  # an explanation, in Markdown, for what surprises
    server: str = ""  # its name in pyinit.ctl.servers, where that is another
    quick: bool = False  # tried in each run of the tests, in the base image

    @property
    def options(self) -> tuple[str, ...]:
        """Those of pyinit."""
        rewrite = () if self.stop_signal == "TERM" else ("-r", f"TERM:{self.stop_signal}")
        return (*(("-c",) if self.single else ()), *rewrite)


BIG = http("/big")
SITE = "python3 -m http.server --bind 127.0.0.1 --directory /site 8081"
POSTGRESQL = """\
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
mkdir -p /tmp/data && chown postgres /tmp/data
run() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
[ -e /tmp/data/PG_VERSION ] || run initdb --no-sync --auth=trust --pgdata=/tmp/data >/dev/null
"""
AS_POSTGRES = "setpriv --reuid postgres --regid postgres --clear-groups"
PSQL = "psql --host=/tmp --no-psqlrc --tuples-only --no-align --username=postgres"
MARIADB = "mkdir -p /run/mysqld && chown mysql /run/mysqld"
SQL = "mariadb --batch --skip-column-names"
FIFO = "rm -f /tmp/in && mkfifo /tmp/in"
ASK_SHELL = "rm -f /tmp/out; echo 'echo $((6 * 7)) >/tmp/out' >/tmp/in; sleep 0.3; grep -qx 42 /tmp/out"
PY = "python3 -m http.server --bind 127.0.0.1 --directory /site 8000"

PROGRAMS = (
    Program(
        "nginx",
        "nginx -c /servers/nginx.conf -g 'daemon off;'",
        http(),
        "QUIT",
        "QUIT lets requests finish, TERM does not",
        slow=BIG,
        reload="HUP",
        quick=True,
    ),
    Program(
        "apache2",
        "apache2 -f /servers/apache2.conf -D FOREGROUND",
        http(),
        "WINCH",
        "WINCH lets requests finish, TERM does not",
        slow=BIG,
        reload="USR1",
        server="apache",
        note="TERM and WINCH both end it with the status 0: only the client knows which of them it was.",
    ),
    Program(
        "lighttpd",
        "lighttpd -D -f /servers/lighttpd.conf",
        http(),
        "INT",
        "INT lets requests finish, TERM does not",
        slow=BIG,
        reload="USR1",
        note="TERM with a connection open is status 1, without one 0.",
    ),
    Program(
        "haproxy",
        "haproxy -W -db -f /servers/haproxy.cfg",
        http(),
        "USR1",
        "USR1 lets requests finish, TERM does not",
        slow=BIG,
        beside=SITE,
        reload="USR2",
    ),
    Program(
        "squid",
        "squid --foreground -f /servers/squid.conf",
        http(proxied="http://127.0.0.1:8081"),
        "TERM",
        "TERM lets requests finish, and takes all of shutdown_lifetime",
        slow=http("/big", proxied="http://127.0.0.1:8081"),
        prepare="rm -f /run/squid.pid",
        single=True,
        beside=SITE,
        reload="HUP",
        note="Its master hands TERM on to its worker. If the group gets it, that is a second one, which cuts requests "
        "off unless both arrive at once: with TERM for the whole group the request was lost. Hence `-c`. After "
        "TERM it waits for all of `shutdown_lifetime`, with clients and without. That is 30 s unless its "
        "configuration says less, and an engine kills after 10: here it is 5. It also refuses to start when "
        "`squid.pid` names a process that is there, and after a KILL it is: in a new start of the same container "
        "the processes have the same numbers. So what starts it has to remove that file.",
    ),
    Program(
        "varnish",
        "varnishd -F -a 127.0.0.1:8000 -f /servers/varnish.vcl -s malloc,64m",
        http(),
        "TERM",
        "TERM ends it at once",
        slow=BIG,
        single=True,
        beside=SITE,
        answered=False,
        note="Its manager ends the child by closing the pipes between them, and waits. If the group gets TERM, the "
        "child has ended by that signal before, which the manager takes for a crash: status 64. Hence `-c`.",
    ),
    Program(
        "postgresql",
        f"{AS_POSTGRES} postgres -D /tmp/data -k /tmp -c listen_addresses= -c shared_buffers=16MB",
        inside(f"[ $({PSQL} -c 'select 1') = 1 ]"),
        "INT",
        "INT ends the sessions and shuts down, TERM waits for every session to end",
        slow=inside(f"{PSQL} -c 'select 1' -c '\\! touch /out/begun' -c 'select pg_sleep(30)' && touch /out/done"),
        prepare=POSTGRESQL,
        reload="HUP",
        answered=False,
        quick=True,
        note="The request is a query that takes half a minute. INT is the fast shutdown: it ends sessions, with an "
        "error that says so. TERM waits for them, longer than the engine does: KILL, and a recovery from the log "
        "at the next start.",
    ),
    Program(
        "mariadb",
        "mariadbd --user=mysql",
        inside(f"[ $({SQL} -e 'select 1') = 1 ]"),
        "TERM",
        "TERM ends the sessions and shuts down",
        slow=inside(f"{SQL} -e 'select 1; \\! touch /out/begun\nselect sleep(30)' && touch /out/done"),
        prepare=MARIADB,
        reload="HUP",
        answered=False,
        note="The request is a query that takes half a minute, which a shutdown ends.",
    ),
    Program(
        "mysqld_safe",
        "mysqld_safe",
        inside(f"[ $({SQL} -e 'select 1') = 1 ]"),
        "TERM",
        "the script ignores TERM; the server, which is in its process group, does not",
        prepare=MARIADB,
        shell=True,
        note="The script ignores TERM and waits for its server. tini gives the signal to the script alone, "
        "and as PID 1 "
        "it is alone, too: ten seconds, and a database gets KILL. pyinit gives it to the process group, in which "
        "the server is; when that has shut down, the script ends. So no `-c` here.",
    ),
    Program(
        "redis",
        "redis-server --bind 127.0.0.1 --dir /tmp",
        tcp(6379, r"PING\r\n", "+PONG"),
        "TERM",
        "TERM saves the data and ends",
    ),
    Program(
        "memcached",
        "memcached -u memcache -l 127.0.0.1",
        tcp(11211, r"set k 0 0 6\r\nserved\r\nget k\r\n", "VALUE k 0 6"),
        "TERM",
        "TERM ends it",
    ),
    Program(
        "rabbitmq",
        "rabbitmq-server",
        tcp(5672, r"AMQP\x00\x00\x09\x01", "RabbitMQ"),
        "TERM",
        "TERM ends it",
        prepare="export RABBITMQ_NODENAME=rabbit@localhost HOME=/var/lib/rabbitmq",
        status=143,
        note="`rabbitmq-server` is a shell script that starts `su`, which starts another, and so on: Erlang is the "
        "fourth of them, in a session of its own that no signal to a group reaches. When the script has "
        "ended, what is left gets TERM from pyinit and eight seconds for it; from tini it gets nothing, and "
        "KILL from the kernel. As PID 1 the script does not hear the stop.",
    ),
    Program(
        "mosquitto",
        "mosquitto -c /servers/mosquitto.conf",
        inside("mosquitto_pub -r -t t -m served && [ $(mosquitto_sub -t t -C 1 -W 5) = served ]"),
        "TERM",
        "TERM ends it",
        reload="HUP",
    ),
    Program(
        "php-fpm",
        "php-fpm8.2 -F -y /servers/php-fpm.conf",
        Request(("fcgi", "9000", "/servers/index.php", "served")),
        "QUIT",
        "QUIT lets requests finish, TERM does not",
        slow=Request(("fcgi", "9000", "/servers/slow.php", "served")),
        reload="USR2",
        single=True,
        note="A reload by USR2 lets requests finish, if its master alone gets that: workers end by it, and their "
        "requests with them. Hence `-c`. Requests are waited for at all only with `process_control_timeout`, here 8 s.",
    ),
    Program(
        "gunicorn",
        "gunicorn --chdir /servers --workers 2 app:wsgi",
        http(),
        "TERM",
        "TERM lets requests finish, QUIT does not",
        slow=http("/slow"),
        single=True,
        reload="HUP",
        note="A reload by HUP starts new workers and lets the old ones finish, if it is the master alone that "
        "tells them: with HUP for the whole group the request was lost. Hence `-c`. How long gunicorn itself takes "
        "after the last request depends on the processor that it gets, and on no init: 0.2 to 3 s were seen, and on a "
        "busy machine more than the engine waits for, which is then a 137. A longer `--time` is what helps.",
    ),
    Program(
        "uvicorn",
        "uvicorn --app-dir /servers app:asgi",
        http(),
        "TERM",
        "TERM lets requests finish",
        slow=http("/slow"),
    ),
    Program(
        "uwsgi",
        "uwsgi --plugin python3 --http-socket 127.0.0.1:8000 --wsgi-file /servers/app.py --master --processes 2",
        http(),
        "QUIT",
        "TERM is a reload, and QUIT ends it",
        slow=http("/slow"),
        answered=False,
        note="TERM means a reload here, which no engine waits for the end of: 137. QUIT ends it at once, with what "
        "it does at the time.",
    ),
    Program(
        "uwsgi with a hook",
        "uwsgi --plugin python3 --http-socket 127.0.0.1:8000 --wsgi-file /servers/app.py --master --processes 2"
        " --hook-master-start 'unix_signal:15 gracefully_kill_them_all'",
        http(),
        "TERM",
        "the hook makes TERM the end that lets requests finish",
        slow=http("/slow"),
        single=True,
        server="uwsgi",
        note="`--hook-master-start 'unix_signal:15 gracefully_kill_them_all'` makes TERM the end that waits for "
        "requests. The workers must not get it from the group as well: hence `-c`.",
    ),
    Program(
        "celery",
        "celery --app tasks worker --loglevel warning --concurrency 2 --without-gossip --without-mingle",
        inside("cd /servers && python3 -c 'import tasks; assert tasks.add.delay(2, 3).get(timeout=20) == 5'"),
        "TERM",
        "TERM is a warm shutdown: tasks that run are finished",
        slow=inside("cd /servers && python3 -c 'import tasks; tasks.slow.delay(\"/out\")'"),
        single=True,
        prepare="cd /servers; export C_FORCE_ROOT=1 PYTHONDONTWRITEBYTECODE=1",
        beside="redis-server --bind 127.0.0.1 --dir /tmp",
        note="The request is a task. With `-c` the worker process finishes it; with the group's TERM that "
        "process ends, "
        "and the task is lost.",
    ),
    Program(
        "supervisord",
        "supervisord -c /servers/supervisord.conf",
        http(),
        "TERM",
        "TERM stops its programs and ends",
        reload="HUP",
    ),
    Program(
        "runit",
        "runsvdir -P /tmp/services",
        http(),
        "HUP",
        "HUP stops the services, TERM leaves them running",
        status=111,
        prepare="mkdir -p /tmp/services/site\n"
        f"printf '#!/bin/sh\\nexec {PY}\\n' >/tmp/services/site/run; chmod +x /tmp/services/site/run",
        note="111 is what `runsvdir` returns after HUP, which stops the services. After TERM it ends and leaves them "
        "running: then pyinit tells each of them to end, and tini kills them with the container.",
    ),
    Program(
        "cron",
        "cron -f",
        inside("[ -e /tmp/ran ]"),
        "TERM",
        "TERM ends it",
        status=143,
        prepare="rm -f /run/crond.reboot /tmp/ran; echo '@reboot root touch /tmp/ran' >/etc/cron.d/served",
        note="It has no handler for TERM and ends by the signal's default action, hence 143 (`-e 143` makes that 0). "
        "PID 1 has no default actions: without an init a stop takes the ten seconds.",
    ),
    Program(
        "rsyslog",
        "rsyslogd -n -i NONE -f /servers/rsyslog.conf",
        inside("logger served && sleep 0.2 && grep -q served /tmp/log"),
        "TERM",
        "TERM writes what is queued and ends",
        prepare="rm -f /tmp/log",
        reload="HUP",
        note="After a KILL it finds its PID file, and in a new start of the same container a process with that number: "
        "itself. Then it does not start. `-i NONE` lets it have no such file.",
    ),
    Program(
        "openssh-server",
        "/usr/sbin/sshd -D -e -p 8022 -o ListenAddress=127.0.0.1",
        inside("ssh-keyscan -p 8022 127.0.0.1 2>/dev/null | grep -q ed25519"),
        "TERM",
        "TERM ends the listener and leaves the sessions",
        slow=inside("ssh -p 8022 127.0.0.1 'touch /out/begun; sleep 4; touch /out/done'"),
        prepare="mkdir -p /run/sshd",
        reload="HUP",
        answered=False,
        server="sshd",
        note="The request is a session. The listener ends at TERM and leaves its sessions alone; what is left in the "
        "container gets TERM then, and the session is over. Each start of a session leaves orphans, which pyinit "
        "reaps.",
    ),
    Program(
        "dnsmasq",
        "dnsmasq --keep-in-foreground --port 5353 --no-resolv --no-hosts --address=/name.test/192.0.2.1",
        inside("[ $(dig +short -p 5353 @127.0.0.1 name.test) = 192.0.2.1 ]"),
        "TERM",
        "TERM ends it",
        reload="HUP",
    ),
    Program(
        "bind9",
        "named -f -u bind -c /servers/named.conf",
        inside("[ $(dig +short -p 5353 @127.0.0.1 name.test) = 192.0.2.1 ]"),
        "TERM",
        "TERM ends it",
        reload="HUP",
        server="named",
    ),
    Program(
        "unbound",
        "unbound -d -c /servers/unbound.conf",
        inside("[ $(dig +short -p 5353 @127.0.0.1 name.test) = 192.0.2.1 ]"),
        "TERM",
        "TERM ends it",
        reload="HUP",
    ),
    Program(
        "postfix",
        "postfix start-fg",
        tcp(25, r"EHLO client\r\nQUIT\r\n", "250-PIPELINING"),
        "TERM",
        "TERM ends it and its processes",
        prepare="postconf -e myhostname=localhost inet_interfaces=loopback-only inet_protocols=ipv4"
        " maillog_file=/var/log/mail.log",
        reload="HUP",
        status=143,
        note="`postfix start-fg` is a script that has Postfix's `master` run for it. As PID 1 it knows that, and "
        "becomes `master`; behind an init it waits for `master` and ends by TERM, 143.",
    ),
    Program(
        "vsftpd",
        "vsftpd /servers/vsftpd.conf",
        Request(("ftp", "8000", "index.html", "served")),
        "TERM",
        "TERM ends the listener and leaves the sessions",
        slow=Request(("ftp", "8000", "big", "served")),
        prepare="mkdir -p /tmp/empty",
        reload="HUP",
        answered=False,
        status=143,
        note="The request is a download, which ends with the stop. As PID 1 it does not live that long: an orphan "
        "that ends is a child that it knows nothing of, and it crashes by SEGV, 139.",
    ),
    Program(
        "git daemon",
        "git daemon --export-all --base-path=/srv/git --listen=127.0.0.1",
        inside("git ls-remote git://127.0.0.1/repository | grep -q refs/heads"),
        "TERM",
        "TERM ends it",
        server="git",
        status=143,
        note="`git` starts `git-daemon`, passes TERM on and ends by it: 143. As PID 1 its own TERM does not end it "
        "after it has reaped the daemon; it then waits for a child that is gone, and gives 128.",
    ),
    Program(
        "node",
        "node /servers/server.js",
        http(),
        "TERM",
        "TERM ends it at once, unless the program has a handler",
        slow=http("/slow"),
        status=143,
        answered=False,
        note="Node has no handler for TERM unless the program has one. Behind an init the default action ends it at "
        "once, 143, and the request with it; as PID 1 it does not hear the stop at all. A handler with "
        "`server.close()` is what lets requests finish.",
    ),
    Program(
        "java",
        "java -cp /classes Server",
        http(),
        "TERM",
        "TERM runs the shutdown hooks and ends",
        slow=http("/slow"),
        status=143,
        answered=False,
        reload="QUIT",
        note="The virtual machine has handlers of its own, so that it hears TERM as PID 1, too; it reaps "
        "nothing there. "
        "QUIT is no stop but a thread dump.",
    ),
    Program(
        "tomcat",
        "/usr/share/tomcat10/bin/catalina.sh run",
        http(port=8080),
        "TERM",
        "TERM stops the connectors and the applications",
        slow=http("/big", port=8080),
        prepare="export CATALINA_BASE=/var/lib/tomcat10 CATALINA_TMPDIR=/tmp",
        status=143,
        answered=None,
        note="The virtual machine ends by TERM, 143, when Tomcat has stopped. Whether a download is still completed "
        "then is a matter of moments, and of no init: one that has not ended a moment later is cut off.",
    ),
    Program(
        "chromium",
        "chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=/tmp/chromium"
        " --remote-debugging-port=9222 file:///site/index.html",
        http("/json/list", port=9222, text="index.html"),
        "TERM",
        "TERM ends it and its processes",
        note="It starts processes by others that end at once: some thirty orphans in three starts.",
    ),
    Program(
        "Xvfb and a program",
        "bash -c 'Xvfb :7 -nolisten tcp -noreset & until xdpyinfo >/dev/null 2>&1; do sleep 0.1; done; exec xev'",
        inside("DISPLAY=:7 xwininfo -root -tree | grep -q 'Event Tester'"),
        "TERM",
        "TERM ends both: the program by default, the server after it",
        prepare="export DISPLAY=:7",
        status=143,
        server="xvfb",
        note="As PID 1 the program, xev, has no handler for TERM, and does not hear the stop.",
    ),
    Program(
        "bash with exec",
        f"bash -c 'exec {PY}'",
        http(),
        "TERM",
        "the program is in the shell's place",
        slow=BIG,
        status=143,
        answered=False,
        quick=True,
        server="bash",
        note="The program, Python's `http.server`, has no handler for TERM: behind an init that ends it, 143; as PID 1 "
        "it does not hear the stop.",
    ),
    Program(
        "bash without exec",
        f"bash -c '{PY}; echo bye'",
        http(),
        "TERM",
        "the shell passes nothing on; its program gets TERM because it is in the same process group",
        slow=BIG,
        status=143,
        answered=False,
        shell=True,
        quick=True,
        server="bash",
        note="The shell ends by TERM and passes it on to nobody. tini then lets its program be killed with the "
        "container; pyinit tells both at once, and with `-c` the program after the shell. As PID 1 the shell "
        "does not hear the stop, and so neither does its program.",
    ),
    Program(
        "bash at a prompt",
        "bash --norc -i <>/tmp/in",
        inside(ASK_SHELL),
        "HUP",
        "an interactive shell ignores TERM",
        prepare=FIFO,
        status=129,
        shell=True,
        quick=True,
        server="bash -i",
        note="An interactive shell ignores TERM, and HUP is what a terminal that is closed sends: 129. `-e 129` makes "
        "it 0.",
    ),
)
