# A master with two workers (programs/master). Whom does TERM reach? Look at PGID, the process group.
cd "$(dirname "$0")" && . ./common.sh

no_workers() { ! has 'sleep 50'; }

ask() {
    wait_until said ready
    wait_until has 'sleep 50' 2
    look
    kill -TERM "$pid1"
    whom=nobody
    within_5_s no_workers && whom="the workers"
    if said told; then
        case $whom in
            nobody) whom="the master" ;;
            *) whom="the master and $whom" ;;
        esac
    fi
    outcome "TERM reaches $whom"
}

start "no init" master
ask
start "a shell" sh -c 'master; echo bye'
ask
start "pyinit -c" pyinit -c -- master
ask
start "pyinit" pyinit -- master
ask
