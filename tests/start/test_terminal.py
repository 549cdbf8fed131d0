"""With a terminal everything is as it would be without pyinit: keys, job control, prompts, resizing."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DEADLINE, NAMESPACE, Pyinit, Terminal, children, descendants, probe, state, wait_until

# The namespace's PID 1 leads a session and controls the terminal, as in `docker run -it`.
CONTAINER = [*NAMESPACE, "setsid", "--ctty"]
PROMPT = r"prompt> $"
INTERRUPT, QUIT, SUSPEND = "\x03", "\x1c", "\x1a"

# Typed words are echoed; only a shell turns 40+2 into 42.
READS_A_WORD = "echo job-$((40+2)); read -r word; echo got:$word"


def in_shell() -> Terminal:
    """A pty with an interactive bash that has shown its prompt."""
    terminal = Terminal("env", "PS1=prompt> ", "bash", "--norc", "--noprofile", "--noediting", "-i")
    terminal.wait_for(PROMPT)
    return terminal


def under(pyinit: Pyinit, *command: str) -> str:
    """The shell's words for pyinit with a program."""
    return shlex.join([str(pyinit.file), "--", *command])


def suspend(terminal: Terminal) -> None:
    """Press Ctrl-Z, and wait until the shell says that its job is stopped and asks again."""
    terminal.type(SUSPEND)
    terminal.wait_for("Stopped")
    terminal.wait_for(PROMPT)


def in_background(terminal: Terminal) -> bool:
    """Whether the shell itself is in the foreground, and nothing that it started."""
    return terminal.foreground() == terminal.pid


def the_pyinit_of(terminal: Terminal) -> int:
    """pyinit's pid below unshare."""
    return children(terminal.pid)[0]


# Ctrl-C and Ctrl-\


def test_f09_ctrl_c_reaches_the_program_once_as_pid_1(pyinit: Pyinit) -> None:
    with Terminal(*CONTAINER, pyinit.file, "--", *probe("recorder")) as terminal:
        interrupt_once(terminal)


def interrupt_once(terminal: Terminal) -> None:
    """Type Ctrl-C, and see that the program gets it once."""
    terminal.wait_for("ready")
    terminal.type(INTERRUPT)
    terminal.wait_for(r"got 2\r")
    # A second INT would come before this: pyinit collects the lower number first.
    os.kill(the_pyinit_of(terminal), signal.SIGTERM)
    terminal.wait_for(r"got 15\r")
    assert terminal.output.count("got 2\r") == 1


def test_f09_ctrl_c_reaches_the_program_once_under_a_shell(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, *probe("recorder")) + "\n")
        interrupt_once(terminal)


def test_ctrl_c_ends_a_program_and_not_the_shell_above(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, "sh", "-c", READS_A_WORD) + "\n")
        terminal.wait_for("job-42")
        terminal.type(INTERRUPT)
        terminal.wait_for(PROMPT)
        terminal.type("echo status-$?\n")
        terminal.wait_for("status-130")


@pytest.mark.parametrize("as_pid_1", [True, False], ids=["pid 1", "not pid 1"])
def test_quit_key_reaches_the_program_once(pyinit: Pyinit, as_pid_1: bool) -> None:
    start = CONTAINER if as_pid_1 else ["sh", "-c", '"$@"; exit $?', "sh"]
    with Terminal(*start, pyinit.file, "--", *probe("recorder")) as terminal:
        terminal.wait_for("ready")
        terminal.type(QUIT)
        terminal.wait_for(r"got 3\r")
        os.kill(the_pyinit_of(terminal), signal.SIGTERM)
        terminal.wait_for(r"got 15\r")
        assert terminal.output.count("got 3\r") == 1


# The foreground

# man 5 proc: the fifth field of stat is the process group, the eighth the terminal's foreground group.
IN_FOREGROUND = 'read -r _ _ _ _ group _ _ foreground _ </proc/self/stat; [ "$group" = "$foreground" ]'


def test_f10_program_is_in_the_foreground_at_its_first_instruction(pyinit: Pyinit) -> None:
    script = 'for i in $(seq 50); do "$0" -- sh -c "$1" || exit 9; done; exit 5'
    with Terminal("bash", "-c", script, pyinit.file, IN_FOREGROUND) as terminal:
        assert terminal.finish() == 5


def test_f10_program_of_pid_1_is_in_the_foreground_at_its_first_instruction(pyinit: Pyinit) -> None:
    for _ in range(50):
        with Terminal(*CONTAINER, pyinit.file, "--", "sh", "-c", IN_FOREGROUND) as terminal:
            assert terminal.finish() == 0


def test_script_can_read_from_the_terminal_after_pyinit_has_ended(pyinit: Pyinit) -> None:
    with Terminal("sh", "-c", '"$0" -- true; echo ready; read -r word; echo got:$word', pyinit.file) as terminal:
        terminal.wait_for("ready")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        assert terminal.finish() == 0


def test_script_gets_the_terminal_back_from_a_program_that_was_killed(pyinit: Pyinit) -> None:
    script = "\"$0\" -- sh -c 'kill -9 $$'; echo ready:$?; read -r word; echo got:$word"
    with Terminal("sh", "-c", script, pyinit.file) as terminal:
        terminal.wait_for("ready:137")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        assert terminal.finish() == 0


def test_background_job_does_not_take_the_terminal(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, "sh", "-c", "echo job-$((40+2)); exec sleep 1000") + " &\n")
        terminal.wait_for("job-42")
        assert in_background(terminal)
        terminal.type("echo shell-$((40+2))\n")
        terminal.wait_for("shell-42")


def test_background_job_that_ends_does_not_take_the_terminal(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, "true") + " & wait; echo waited-$((40+2))\n")
        terminal.wait_for("waited-42")
        assert in_background(terminal)


def test_background_job_can_be_brought_to_the_foreground(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, "sh", "-c", READS_A_WORD) + " &\n")
        terminal.wait_for("job-42")
        terminal.type("until jobs | grep -q Stopped; do :; done; echo stopped-$((40+2))\n")
        terminal.wait_for("stopped-42")
        terminal.wait_for(PROMPT)
        terminal.type("fg\n")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")


def test_running_background_job_can_be_brought_to_the_foreground(pyinit: Pyinit, tmp_path: Path) -> None:
    go = tmp_path / "go"
    program = [*probe("terminal_job"), str(go), "read"]
    with in_shell() as terminal:
        terminal.type(under(pyinit, *program) + " &\n")
        terminal.wait_for("job-42")
        terminal.type("fg\n")
        wait_until(lambda: not in_background(terminal), "the job is in the foreground")
        go.touch()
        terminal.type("blue\n")
        terminal.wait_for("got:blue")


# Job control


@pytest.mark.parametrize("shell", [("bash", "--norc", "--noprofile", "-i"), ("dash", "-i")], ids=["bash", "dash"])
def test_f10_shell_as_the_program_has_job_control(pyinit: Pyinit, shell: "tuple[str, ...]") -> None:
    with Terminal(*CONTAINER, "env", "PS1=prompt> ", pyinit.file, "--", *shell) as terminal:
        terminal.wait_for("prompt> ")
        terminal.type(f"sh -c '{READS_A_WORD}; exec sleep 100'\n")
        terminal.wait_for("job-42")
        terminal.type(SUSPEND)
        terminal.wait_for("Stopped")
        terminal.wait_for("prompt> ")
        terminal.type("jobs\n")
        terminal.wait_for("Stopped")
        terminal.wait_for("prompt> ")
        terminal.type("fg\n")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        terminal.type(SUSPEND)
        terminal.wait_for("Stopped")
        terminal.wait_for("prompt> ")
        terminal.type("bg\n")
        terminal.wait_for("prompt> ")
        terminal.type("jobs\n")
        terminal.wait_for("Running")
        terminal.wait_for("prompt> ")
        terminal.type("kill %1; exit 5\n")
        assert terminal.finish() == 5
        assert "no job control" not in terminal.output
        assert "can't access tty" not in terminal.output


def test_ctrl_z_gives_the_shell_its_prompt_and_fg_resumes_the_program(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, "sh", "-c", READS_A_WORD) + "\n")
        terminal.wait_for("job-42")
        suspend(terminal)
        assert in_background(terminal)
        terminal.type("fg\n")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        terminal.wait_for(PROMPT)
        terminal.type("echo status-$?\n")
        terminal.wait_for("status-0")


def test_ctrl_z_and_fg_work_again_and_again(pyinit: Pyinit) -> None:
    with in_shell() as terminal:
        terminal.type(under(pyinit, "sh", "-c", "while read -r word; do echo got:$word; done") + "\n")
        for word in ("red", "green", "blue", "black", "white"):
            wait_until(lambda: not in_background(terminal), "the job is in the foreground")
            terminal.type(f"{word}\n")
            terminal.wait_for(f"got:{word}")
            suspend(terminal)
            terminal.type("fg\n")


def test_ctrl_z_stops_a_whole_pipeline_and_fg_resumes_it(pyinit: Pyinit) -> None:
    program = "echo job-$((40+2)) >&2; read -r word </dev/tty; echo got:$word"
    with in_shell() as terminal:
        terminal.type(under(pyinit, "sh", "-c", program) + " | sed s/got/saw/\n")
        terminal.wait_for("job-42")
        suspend(terminal)
        assert {state(pid) for pid in descendants(terminal.pid)} == {"T"}
        terminal.type("fg\n")
        terminal.type("blue\n")
        terminal.wait_for("saw:blue")
        terminal.wait_for(PROMPT)


@pytest.mark.parametrize("resume", ["bg", "kill -CONT %1"])
def test_a_stopped_program_is_resumed_without_the_terminal(pyinit: Pyinit, tmp_path: Path, resume: str) -> None:
    go = tmp_path / "go"
    with in_shell() as terminal:
        terminal.type(under(pyinit, *probe("terminal_job"), str(go)) + "\n")
        terminal.wait_for("job-42")
        suspend(terminal)
        terminal.type(f"{resume}\n")
        terminal.wait_for(PROMPT)
        go.touch()
        terminal.wait_for("done-42")
        assert in_background(terminal)


def test_ctrl_z_does_nothing_where_nobody_could_resume(pyinit: Pyinit, tmp_path: Path) -> None:
    """The script leads the session, so its process group is orphaned: the kernel discards TSTP for such a group."""
    go = tmp_path / "go"
    script = under(pyinit, *probe("terminal_job"), str(go), "read") + "; echo status-$?"
    with Terminal("sh", "-c", script) as terminal:
        terminal.wait_for("job-42")
        terminal.type(SUSPEND)
        terminal.wait_for(r"\^Z")
        go.touch()
        terminal.type("word\n")
        terminal.wait_for("got:word")
        terminal.wait_for("status-0")


def test_ctrl_z_keeps_no_program_stopped_that_has_left_its_group(pyinit: Pyinit) -> None:
    """Where nobody could resume it, it goes on."""
    program = (
        "import os, signal, subprocess\n"
        "child = subprocess.Popen(['sleep', '1000'], preexec_fn=lambda: os.setpgid(0, 0))\n"
        "os.setpgid(0, child.pid)\n"
        "os.kill(os.getpid(), signal.SIGTSTP)\n"
        "print('goes-' + 'on', flush=True)\n"
        "child.kill()\n"
    )
    script = under(pyinit, sys.executable, "-ISc", program) + "; echo status-$?"
    with Terminal("sh", "-c", script) as terminal:
        terminal.wait_for("goes-on")
        terminal.wait_for("status-0")
        assert "internal error" not in terminal.output


def test_f07_tstp_to_pid_1_stops_the_program_and_cont_continues_it(pyinit: Pyinit) -> None:
    with Terminal(*CONTAINER, pyinit.file, "--", "sh", "-c", READS_A_WORD) as terminal:
        terminal.wait_for("job-42")
        pid = the_pyinit_of(terminal)
        [program] = children(pid)
        os.kill(pid, signal.SIGTSTP)
        wait_until(lambda: state(program) == "T", "the program is stopped")
        wait_until(lambda: state(pid) == "S", "pyinit itself waits as before")
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: state(program) == "S", "the program goes on")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        assert terminal.finish() == 0


# Prompts, and no terminal


@pytest.mark.parametrize("as_pid_1", [True, False], ids=["pid 1", "not pid 1"])
def test_f10_password_prompt_works_with_standard_input_redirected(pyinit: Pyinit, as_pid_1: bool) -> None:
    ask = "stty -echo </dev/tty; echo Password: >/dev/tty; read -r word </dev/tty; stty echo </dev/tty; echo ${#word}!"
    command = shlex.join([str(pyinit.file), "--", "sh", "-c", ask])
    script = f"exec {command} </dev/null" if as_pid_1 else f"{command} </dev/null; exit $?"
    with Terminal(*(CONTAINER if as_pid_1 else []), "sh", "-c", script) as terminal:
        terminal.wait_for("Password:")
        terminal.type("secret\n")
        terminal.wait_for("6!")
        assert terminal.finish() == 0
        assert "secret" not in terminal.output


@pytest.mark.parametrize("redirection", ["<&-", "<&- >&- 2>&-", "</dev/null >/dev/null 2>&1"])
def test_f10_descriptors_that_are_no_terminal_do_no_harm(pyinit: Pyinit, redirection: str) -> None:
    with Terminal(*CONTAINER, "sh", "-c", f'exec "$0" -- sh -c "exit 5" {redirection}', pyinit.file) as terminal:
        assert terminal.finish() == 5


def test_f10_no_controlling_terminal_does_no_harm(pyinit: Pyinit) -> None:
    with Terminal(*NAMESPACE, "setsid", pyinit.file, "--", "sh", "-c", "exit 5") as terminal:
        assert terminal.finish() == 5


# A /dev without tty, as a bare one and some sandboxes have
WITHOUT_TTY = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
WITH_A_FILE = WITHOUT_TTY + ": >/dev/tty && "


@pytest.mark.parametrize("bare", [WITHOUT_TTY, WITH_A_FILE, WITHOUT_TTY + "ln -s null /dev/tty && "])
@pytest.mark.parametrize(
    ("options", "redirection"), [("", ""), ("--session", ""), ("", "</dev/null"), ("", "</dev/null >/dev/null")]
)
def test_f73_without_dev_tty_the_program_has_the_terminal(
    pyinit: Pyinit, bare: str, options: str, redirection: str
) -> None:
    program = "read -r word <&2; echo got:$word >&2; exit 5"
    script = f'{bare}exec "$0" {options} -- sh -c "$1" {redirection}'
    start = ["unshare", "--mount", *CONTAINER, "sh", "-c", script, str(pyinit.file), program]
    with Terminal(*start) as terminal:
        wait_until(lambda: children(terminal.pid), "unshare forks")
        terminal.type("word\n")
        terminal.wait_for("got:word")
        assert terminal.finish() == 5


def test_f73_without_dev_tty_and_no_terminal_there_is_none(pyinit: Pyinit) -> None:
    wrapper = ("unshare", "--mount", "sh", "-c", f'{WITHOUT_TTY}exec "$@"', "sh")
    assert pyinit.run("--", "sh", "-c", "exit 5", wrapper=wrapper) == (5, "", "")
    assert pyinit.run("--session", "--", "sh", "-c", "exit 5", wrapper=wrapper) == (5, "", "")


@pytest.mark.parametrize("options", [[], ["--session"]])
def test_f73_a_terminal_that_is_nobodys_is_for_a_session_alone(pyinit: Pyinit, options: "list[str]") -> None:
    """dumb-init takes it, too."""
    master, slave = os.openpty()
    try:
        start = [*NAMESPACE, "setsid", str(pyinit.file), *options, "--", "sh", "-c", "(: </dev/tty) && echo has it"]
        done = subprocess.run(start, stdin=slave, capture_output=True, text=True, timeout=DEADLINE)
        assert done.stdout == ("has it\n" if options else "")
    finally:
        os.close(master)
        os.close(slave)


# Resizing, tostop, hanging up


@pytest.mark.parametrize("as_pid_1", [True, False], ids=["pid 1", "not pid 1"])
def test_resizing_reaches_the_program_once_with_the_new_size(pyinit: Pyinit, as_pid_1: bool) -> None:
    start = CONTAINER if as_pid_1 else ["sh", "-c", '"$@"; exit $?', "sh"]
    with Terminal(*start, pyinit.file, "--", *probe("terminal_size")) as terminal:
        terminal.wait_for("ready")
        terminal.resize(40, 123)
        terminal.wait_for("size 123x40")
        os.kill(the_pyinit_of(terminal), signal.SIGTERM)
        terminal.wait_for("end")
        assert terminal.output.count("size") == 1


@pytest.mark.parametrize("options", ["", "-vv"])
def test_tostop_stops_no_writer_in_the_foreground(pyinit: Pyinit, options: str) -> None:
    with in_shell() as terminal:
        program = shlex.join([str(pyinit.file), *options.split(), "--", "sh", "-c", READS_A_WORD])
        terminal.type(f"stty tostop; {program}\n")
        terminal.wait_for("job-42")
        os.kill(the_pyinit_of(terminal), signal.SIGURG)  # with -vv pyinit says so, from the background
        if options:
            terminal.wait_for("forwarded SIGURG")
        terminal.type("blue\n")
        terminal.wait_for("got:blue")
        terminal.wait_for(PROMPT)


@pytest.mark.parametrize("with_pyinit", [True, False], ids=["with", "without"])
def test_tostop_stops_a_writer_in_the_background_as_without_pyinit(pyinit: Pyinit, with_pyinit: bool) -> None:
    writer = ("sh", "-c", "echo job-$((40+2))")
    with in_shell() as terminal:
        command = under(pyinit, *writer) if with_pyinit else shlex.join(writer)
        terminal.type(f"stty tostop; {command} &\n")
        terminal.wait_for(PROMPT)
        terminal.type("until jobs | grep -q Stopped; do :; done; echo stopped-$((40+2))\n")
        terminal.wait_for("stopped-42")
        assert "job-42" not in terminal.output
        terminal.wait_for(PROMPT)
        terminal.type("fg\n")
        terminal.wait_for("job-42")


@pytest.mark.parametrize("as_pid_1", [True, False], ids=["pid 1", "not pid 1"])
def test_closing_the_terminal_hangs_up_the_program(pyinit: Pyinit, tmp_path: Path, as_pid_1: bool) -> None:
    said = tmp_path / "said"
    program = f"trap 'echo hung up >{said}; exit' HUP; echo ready; while :; do sleep 0.02; done"
    with Terminal(*(CONTAINER if as_pid_1 else []), pyinit.file, "--", "sh", "-c", program) as terminal:
        terminal.wait_for("ready")
        os.close(terminal.master)
        terminal.master = os.open(os.devnull, os.O_RDONLY)
        wait_until(lambda: said.exists() and said.read_text() == "hung up\n", "the program gets HUP")
