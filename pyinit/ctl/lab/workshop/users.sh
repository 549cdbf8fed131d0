# What the experiments about users have in common: they need root, and setpriv, which is where unshare is.
if [ "$(id -u)" != 0 ]; then
    echo "$0: needs root: it is about several users" >&2
    exit 3
fi

# What `USER dev` in a Dockerfile does to PID 1.
as_dev="setpriv --reuid=1000 --regid=1000 --clear-groups"
