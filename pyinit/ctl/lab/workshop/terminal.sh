# Press Ctrl-C each time that you are asked to, within five seconds (`sh FILE 20` gives you 20). To whom does it go?
cd "$(dirname "$0")" && . ./common.sh

if ! [ -t 0 ]; then
    echo "$0: needs a terminal, and somebody who presses Ctrl-C" >&2
    exit 3
fi
seconds=${1:-5}
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

type_ctrl_c "no init" sleep "$seconds"
type_ctrl_c "a shell" sh -c "sleep $seconds || exit 1"
type_ctrl_c "pyinit" pyinit -- sleep "$seconds"
type_ctrl_c "--session" pyinit --session -- sleep "$seconds"
