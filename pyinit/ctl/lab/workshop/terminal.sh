# Press Ctrl-C each time that you are asked to, within five seconds. To whom does it go?
cd "$(dirname "$0")" && . ./common.sh

if ! [ -t 0 ]; then
    echo "$0: needs a terminal, and somebody who presses Ctrl-C" >&2
    exit 3
fi
set -m # job control: each command is a group of its own, and this script gets the terminal back after it

# In the foreground, so that it has the terminal. It ends by itself if Ctrl-C does nothing.
type_ctrl_c() {
    case=$1
    shift
    echo
    echo "[$case] $*"
    echo "Press Ctrl-C now."
    if $namespace "$@"; then
        outcome "it does nothing"
    else
        outcome "it ends the program"
    fi
}

type_ctrl_c "no init" sleep 5
type_ctrl_c "a shell" sh -c 'sleep 5 || exit 1'
type_ctrl_c "pyinit" pyinit -- sleep 5
type_ctrl_c "--session" pyinit --session -- sleep 5
