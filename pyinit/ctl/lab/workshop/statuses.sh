# How did it end? The exit status tells.
cd "$(dirname "$0")" && . ./common.sh

# As an engine does: TERM, and KILL if that was not enough.
stop() {
    wait_until has 'sleep 60'
    kill -TERM "$pid1"
    if ! within_5_s has_ended; then
        echo "TERM was not enough: KILL"
        kill -KILL "$pid1"
        wait_until has_ended
    fi
    outcome "status $status"
}

start "no init, stop" sleep 60
stop
start "a shell, stop" sh -c 'sleep 60; echo bye'
stop
start "pyinit, stop" pyinit -- sleep 60
stop

start "pyinit, kill" pyinit -- sleep 60
wait_until has 'sleep 60'
kill -KILL "$(found 'sleep 60')"
wait_until has_ended
outcome "status $status"

start "pyinit, exit 3" pyinit -- sh -c 'exit 3'
wait_until has_ended
outcome "status $status"

start "pyinit, typo" pyinit -- slepp 60
wait_until has_ended
cat "$output"
outcome "status $status"
