# Stop a server that cleans up when TERM comes (programs/server). Does it hear of it?
cd "$(dirname "$0")" && . ./common.sh

stop() {
    wait_until said ready
    kill -TERM "$pid1"
    if ! within_5_s has_ended; then
        look
        kill -KILL "$pid1"
        wait_until has_ended
    fi
    if said 'cleaned up'; then
        outcome "it cleans up, status $status"
    else
        outcome "it is cut off, status $status"
    fi
}

start "no init" server
stop
start "a shell" sh -c 'server; echo bye'
stop
start "exec" sh -c 'exec server'
stop
start "pyinit" pyinit -- sh -c 'server; echo bye'
stop
