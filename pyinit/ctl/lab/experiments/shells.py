"""A shell between PID 1 and the program: who hears of a request to end?"""

import signal

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure

SERVER = "trap 'echo cleaned up; exit 0' TERM; echo ready; sleep 60 & wait"


@procedure
def stopped(lab: Lab, *command: str) -> str:
    """Send TERM to PID 1, look, and send KILL."""
    with lab.namespace(*command) as namespace:
        namespace.wait_for("ready")
        namespace.settle()
        namespace.send(signal.SIGTERM)
        namespace.settle()
        for process in namespace.processes():
            if process.name != "sleep":
                lab.see(f"after TERM: {process.facts('State')}")
        namespace.send(signal.SIGKILL)
        status = namespace.end()
        for line in namespace.output.splitlines():
            lab.see(f"> {line}")
        return f"{'it cleans up' if 'cleaned up' in namespace.output else 'it is cut off'}, status {status}"


EXPERIMENT = Experiment(
    name="shells",
    title="Why does my server not hear of `docker stop`?",
    story="""
        `server` is a program that does as it should: when TERM comes it cleans up and ends. We stop its
        container as an engine does: TERM to PID 1, and KILL for whoever is still there. (We do not wait ten
        seconds in between.)
    """,
    programs={"server": SERVER},
    trials=(
        Trial("no init", "it cleans up, status 0", "it is PID 1, and has a handler", stopped("server")),
        Trial(
            "a shell",
            "it is cut off, status 137",
            "TERM goes to `sh`, which tells nobody",
            stopped("sh", "-c", "server; echo bye"),
        ),
        Trial(
            "exec",
            "it cleans up, status 0",
            "with `exec` it takes the shell's place",
            stopped("sh", "-c", "exec server"),
        ),
        Trial(
            "pyinit",
            "it cleans up, status 143",
            "TERM goes to `sh` and to `server`",
            stopped("pyinit", "--", "sh", "-c", "server; echo bye"),
        ),
    ),
    rule="""
        A signal goes to one process, and a shell does not pass it on to what it runs. So write ENTRYPOINT
        and CMD as lists, ["server"], since a plain line is run by `sh -c`; end a start script with `exec
        server "$@"`; and let an init be PID 1, which signals the whole process group.
    """,
    exercise="""
        Write a Dockerfile with `CMD sleep 1000` and one with `CMD ["sleep", "1000"]`. Time `docker stop` of both, and
        look with `ps` who is PID 1.
    """,
    manual=("man 1 sh", "man 7 signal", "man 2 kill"),
    reading="""
        `CMD server --port 80` is the shell form: the engine runs `sh -c "server --port 80"`. Some shells
        replace themselves by the last command of such a line, and some do not, so whether the server hears
        of a stop depends on the image's shell, and on whether the line has a pipe or a semicolon. `CMD
        ["server", "--port", "80"]` is the exec form, without a shell.

        With a shell in between, the engine waits for its ten seconds at each stop and then kills
        everything: open requests are lost, files half written, and the status is 137, as if memory had run
        out.

        A shell script can pass signals on (trap 'kill -TERM $pid' TERM), but it is hard to get right: it
        must start the program in the background, wait twice, and keep its status. `exec` is simpler, and an
        init simpler still. Here the status is 143 and not 0, since `sh`, which is pyinit's program, was
        ended by TERM too; pyinit then waited for `server` (experiment `end`).
    """,
)
