# Send TERM to PID 1, as `docker stop` does. Who ends by it?
cd "$(dirname "$0")" && . ./common.sh

ask() {
    grep -E 'Name|SigCgt' "/proc/$pid1/status"
    kill -TERM "$pid1"
    if within_5_s has_ended; then
        outcome "it ends, status $status"
    else
        look
        outcome "TERM does nothing"
    fi
}

start "no init" sleep 60
ask
start "a handler" server
wait_until said ready
ask
start "a shell" sh -c 'sleep 60; echo bye'
wait_until has 'sleep 60'
ask
start "pyinit" pyinit -- sleep 60
wait_until has 'sleep 60'
ask
