"""What the two experiments about users start from: other account files, a directory of the host, programs."""

OWNER = 4242  # of the host's directory, and nobody's in the account files
USER = 1000  # dev's UID

# In the mount namespace of a trial, which nobody else sees: account files with one user, and "bind mounts".
# In a container the image has the first, and the engine makes the second.
WORLD = f"""
set -e
umask 022
if [ $$ != 1 ]; then
    echo "world: only for PID 1 of a namespace of its own: it mounts over /etc" >&2
    exit 1
fi
mount -t tmpfs -o mode=755 lab /mnt
mkdir /mnt/etc /mnt/home /mnt/host /mnt/work
printf '%s\\n' root:x:0:0::/root:/bin/sh dev:x:{USER}:{USER}::/mnt/home:/bin/sh >/mnt/etc/passwd
printf '%s\\n' root:x:0: dev:x:{USER}: >/mnt/etc/group
chown {USER}:{USER} /mnt/home
chown {OWNER}:{OWNER} /mnt/host
mount --bind /mnt/etc /etc
mount --bind /mnt/host /mnt/work
cp "$(command -v sleep)" /mnt/sleep
chown 0:0 /mnt/sleep
chmod 4755 /mnt/sleep
printf '%s\\n' '#!/bin/sh' 'touch new; exec sleep 60' >/mnt/writer
chmod 755 /mnt/writer
cd /mnt/work
exec "$@"
"""

# What comes before the command of a trial, and becomes it.
IN_WORLD = ("world",)
PROGRAMS = {"world": WORLD}

# What `USER dev` in a Dockerfile does to PID 1.
AS_DEV = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
