# Start `sleep` in three ways, and look who is PID 1. The table shows the numbers out here.
cd "$(dirname "$0")" && . ./common.sh

who_is_it() {
    wait_until has 'sleep 60'
    look
    echo "In there $(name "$pid1") is number $(inside "$pid1")."
    outcome "PID 1 is $(name "$pid1")"
}

start "no init" sleep 60
who_is_it
start "a shell" sh -c 'sleep 60; echo bye'
who_is_it
start "pyinit" pyinit -- sleep 60
who_is_it
