# Kill the parent of `sleep 50`, and see who is its parent then.
cd "$(dirname "$0")" && . ./common.sh

parent() { ps -o ppid= -p "$child" | tr -d ' '; }
has_another() { [ "$(parent)" != "$first" ]; }

orphan() {
    wait_until has 'sleep 50'
    wait_until has 'sleep 60'
    child=$(found 'sleep 50')
    first=$(parent)
    look
    echo "We kill $first, the parent of $child."
    kill -KILL "$first"
    wait_until has_another
    look
    outcome "its parent is $(name "$(parent)"), pid $(inside "$(parent)")"
}

start "no init" sh -c 'sh -c "sleep 50 & wait" & exec sleep 60'
orphan
start "a shell" sh -c 'sh -c "sleep 50 & wait" & sleep 60; echo bye'
orphan
start "pyinit" pyinit -- sh -c 'sh -c "sleep 50 & wait" & exec sleep 60'
orphan
start "a subreaper" sh -c 'pyinit -- service; echo bye'
orphan
