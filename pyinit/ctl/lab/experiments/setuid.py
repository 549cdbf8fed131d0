"""Set-user-ID files, and the promise not to gain anything by them."""

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure
from pyinit.ctl.lab.experiments.users import AS_DEV, IN_WORLD, PROGRAMS, USER
from pyinit.ctl.lab.process import numbers

PROGRAM = "/mnt/sleep 60"


@procedure
def started(lab: Lab, *command: str, become: "tuple[str, ...]" = ()) -> str:
    """Start the set-user-ID program as dev, and see as whom it runs. Uid: real, effective, saved, file system."""
    with lab.namespace(*command, setup=(*IN_WORLD, *become)) as namespace:
        (program,) = namespace.find(PROGRAM)
        lab.see(program.facts("Uid", "NoNewPrivs"))
        effective = numbers(program.status(), "Uid")[1]
        return {0: "it runs as root", USER: "it runs as dev"}.get(effective, f"it runs as UID {effective}")


EXPERIMENT = Experiment(
    name="setuid",
    title="Can a program become root again?",
    story=f"""
        A file may be set-user-ID (ls shows rws): whoever starts it, it runs as the file's owner, as `sudo`
        and `ping` do. /mnt/sleep is a `sleep` that is set-user-ID root. `dev`, UID {USER}, starts it (by USER in the
        image, or by pyinit). Of
        the four numbers in Uid the second, the effective UID, decides what it may do.
    """,
    programs=PROGRAMS,
    trials=(
        Trial(
            "no init",
            "it runs as root",
            "set-user-ID works in a container, too",
            started("/mnt/sleep", "60", become=AS_DEV),
        ),
        Trial(
            "a shell",
            "it runs as root",
            "the same",
            started("sh", "-c", f"{PROGRAM}; echo bye", become=AS_DEV),
        ),
        Trial(
            "pyinit -u",
            "it runs as root",
            "--user alone takes away no more",
            started("pyinit", "-u", "dev", "--", "/mnt/sleep", "60"),
        ),
        Trial(
            "no-new-privs",
            "it runs as dev",
            "the kernel ignores the bit from now on",
            started("pyinit", "-u", "dev", "--no-new-privileges", "--", "/mnt/sleep", "60"),
        ),
    ),
    rule="""
        A user who gave up root can get it back through any set-user-ID file. no-new-privileges is a promise
        to the kernel that cannot be taken back: exec gives the process and its descendants nothing they did
        not have.
    """,
    exercise="""
        List the set-user-ID files of an image: `find / -xdev -perm -4000`. Which of them does your service need?
    """,
    manual=("man 2 prctl", "man 2 execve", "man 7 credentials"),
    reading="""
        A process has three UIDs: the real one (who started it), the effective one (what it may do), and the
        saved one (what it may change back to). exec of a set-user-ID file sets the last two to the file's
        owner. A base image has a dozen such files: find / -xdev -perm -4000 lists them.

        `docker run --security-opt no-new-privileges` sets the same flag for the whole container, PID 1
        included; then no set-user-ID file works at all. pyinit's option sets it for the program and all it
        starts, while PID 1 stays root to signal and to reap. File capabilities (setcap) are ignored as
        well.

        Programs that need such files, such as sudo or ping on older systems, will say that they are not
        root: that is what was asked for.
    """,
    needs_users=True,
)
