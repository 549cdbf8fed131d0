"""UIDs and bind mounts: whose files are these?"""

from pathlib import Path

from pyinit.ctl.lab.experiment import Experiment, Lab, Trial, procedure
from pyinit.ctl.lab.experiments.users import AS_DEV, IN_WORLD, OWNER, PROGRAMS, USER


@procedure
def written(lab: Lab, *command: str, become: "tuple[str, ...]" = ()) -> str:
    """Write a file into the mounted directory, and look from outside to whom it belongs."""
    with lab.namespace(*command, setup=(*IN_WORLD, *become)) as namespace:
        (program,) = namespace.find("sleep 60")
        lab.see(program.facts("Uid"))
        new = Path(f"/proc/{namespace.pid1.pid}/root/mnt/host/new")
        if not new.exists():
            namespace.wait_for("ermission")
            lab.see(f"> {namespace.output.strip()}")
            return "it cannot write"
        owner = new.stat().st_uid
        accounts = Path(f"/proc/{namespace.pid1.pid}/root/etc/passwd").read_text().splitlines()
        names = [account.split(":")[0] for account in accounts if account.split(":")[2] == str(owner)]
        lab.see(
            f"the file belongs to UID {owner}; in the container's /etc/passwd that is {' '.join(names) or 'nobody'}"
        )
        return f"the file is UID {owner}'s"


EXPERIMENT = Experiment(
    name="owner",
    title="Whose are the files that a container writes?",
    story=f"""
        A directory of the host, which belongs to a person with UID {OWNER} there, is mounted into the
        container as /mnt/work (`docker run -v`). The kernel knows numbers only, in both. The container's
        /etc/passwd has an account `dev` with UID {USER}, which happened to be free when the image was
        built. /mnt/writer does `touch new` in that directory, and then sleeps.
    """,
    programs=PROGRAMS,
    trials=(
        Trial(
            "no init",
            "the file is UID 0's",
            "without USER a container is root",
            written("/mnt/writer"),
        ),
        Trial(
            "a shell",
            "the file is UID 0's",
            "it is root, too",
            written("sh", "-c", "/mnt/writer; echo bye"),
        ),
        Trial(
            "USER dev",
            "it cannot write",
            f"the directory is not UID {USER}'s",
            written("/mnt/writer", become=AS_DEV),
        ),
        Trial(
            "pyinit",
            f"the file is UID {OWNER}'s",
            "`dev` gets the directory's UID",
            written("pyinit", "-u", "dev", "--match-owner", "/mnt/work", "--", "/mnt/writer"),
        ),
    ),
    rule="""
        Files belong to numbers; names are looked up in whatever /etc/passwd there is. To share files, the
        container's user must have the host's number: --match-owner takes it from the directory itself,
        whoever started it.
    """,
    exercise="""
        Which numbers do `id` on your machine and `id` in a container of yours give? Who can write to what?
    """,
    manual=("man 7 path_resolution", "man 5 passwd", "man 7 user_namespaces"),
    reading="""
        With a bind mount host and container look at the same files. As root you can write, but then the
        host's user finds files of root among their own, and cannot delete them. With the image's `USER dev`
        nothing belongs to root, but nothing can be written either, unless the numbers happen to agree; on
        many laptops both are 1000, and then it works until a colleague tries.

        `docker run -u $(id -u)` gives the right number without an account: no name, no home, no groups, and
        many programs fail at that. So PID 1, which is still root, looks who owns the directory, gives `dev`
        that number in /etc/passwd and /etc/group, changes the owner of dev's home, and starts the program
        as `dev`. PID 1 itself stays root, to signal and to reap.

        In a rootless engine UID 0 inside is the host's user, so that root in the container is right. pyinit
        sees that from /proc/self/uid_map and the directory's owner, and changes nothing.
    """,
    needs_users=True,
)
