# dev starts a program that is set-user-ID root (programs/world makes it). As whom does it run?
# RUID is who started it, EUID what it may do.
cd "$(dirname "$0")" && . ./common.sh
. ./users.sh

run_as() {
    wait_until has '/mnt/sleep 60'
    program=$(found '/mnt/sleep 60')
    ps -o ruid,euid,args -p "$program"
    grep NoNewPrivs "/proc/$program/status"
    case $(ps -o euid= -p "$program" | tr -d ' ') in
        0) outcome "it runs as root" ;;
        1000) outcome "it runs as dev" ;;
    esac
}

start "no init" world $as_dev /mnt/sleep 60
run_as
start "a shell" world $as_dev sh -c '/mnt/sleep 60; echo bye'
run_as
start "pyinit -u" world pyinit -u dev -- /mnt/sleep 60
run_as
start "no-new-privs" world pyinit -u dev --no-new-privileges -- /mnt/sleep 60
run_as
