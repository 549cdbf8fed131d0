# What the experiments have in common. It needs a shell, unshare and ps.
#
#   start CASE COMMAND...  run COMMAND as PID 1 of a PID namespace of its own; its number out here is $pid1 then
#   said WORD              has the namespace written WORD?
#   look                   show who is in there
#   has_ended              has PID 1 ended? $status is its exit status then
#   within_5_s COMMAND...  wait until COMMAND is true; false if it is not after 5 seconds (more on a busy machine)
#   wait_until COMMAND...  the same for what must come
#   outcome TEXT           what came of it; ends whatever is left in there

PATH=$PWD:$PWD/programs:$PATH
LC_ALL=C
export PATH LC_ALL
for variable in $(env | sed -n 's/^\(PYINIT_[A-Z_]*\|TINI_[A-Z_]*\)=.*/\1/p'); do
    unset "$variable" # it would change what pyinit does
done
output=$(mktemp)
trap 'end; rm -f "$output"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

namespace="unshare --pid --fork --mount-proc --kill-child"
if [ "$(id -u)" != 0 ]; then
    namespace="$namespace --user --map-root-user" # root in there, nobody special out here
fi
if ! $namespace true; then
    echo "$0: needs root, or user namespaces, for a PID namespace of its own" >&2
    exit 3
fi

start() {
    case=$1
    shift
    echo
    echo "[$case] $*"
    status=
    $namespace "$@" >"$output" 2>&1 &
    unshare=$!
    wait_until is_started
}

is_started() {
    pid1=$(ps -o pid= --ppid "$unshare" | tr -d ' ')
    has_ended || { [ -n "$pid1" ] && [ "$(name "$pid1")" != unshare ]; }
}

has_ended() {
    [ -n "$status" ] && return
    kill -0 "$unshare" 2>/dev/null && return 1
    status=0
    wait "$unshare" || status=$?
    # unshare of util-linux 2.38 cannot end as its child did if that was killed, and says this instead.
    if said 'sigprocmask unblock failed'; then
        status=137
    fi
}

within() {
    deadline=$(($(date +%s) + $1))
    looks=0
    shift
    until "$@"; do
        looks=$((looks + 1)) # on a busy machine time passes while nobody gets to run, we neither
        [ "$(date +%s)" -le "$deadline" ] || [ "$looks" -lt 50 ] || return 1
        sleep 0.05
    done
}

within_5_s() { within 5 "$@"; }

wait_until() {
    if ! within 30 "$@"; then
        echo "$0: waited 30 seconds in vain: $*" >&2
        exit 1
    fi
}

said() { grep -q "$1" "$output"; }

# A script is named after its file, but pyinit, which env starts here, after its interpreter.
name() {
    case $(ps -ww -o args= -p "$1") in
        *"/pyinit "*) echo pyinit ;;
        *) ps -o comm= -p "$1" ;;
    esac
}

# The number that a process has in there.
inside() { sed -n 's/^NSpid:.*[[:space:]]//p' "/proc/$1/status"; }

# PID 1 and all that descend from it, with commas between them.
family() {
    ps -e -o pid=,ppid= | awk -v top="$pid1" '
        { parent[$1] = $2 }
        END {
            for (pid in parent) {
                above = pid
                while (above != top && above in parent) above = parent[above]
                if (above == top && pid != top) print pid
            }
            print top
        }' | sort -n | paste -s -d , -
}

# Those in there with this command line: found 'sleep 50'
found() {
    ps -ww -o pid=,args= -p "$(family)" |
        awk -v wanted="$1" '{ pid = $1; sub(/^ *[0-9]+ /, ""); if ($0 == wanted) print pid }'
}

has() { [ "$(found "$1" | wc -l)" -ge "${2:-1}" ]; }

look() { ps -o pid,ppid,pgid,stat,args -p "$(family)"; }

end() {
    if [ -n "$pid1" ] && ! has_ended; then
        kill -KILL "$pid1" 2>/dev/null
        within 30 has_ended
    fi
    pid1=
}

outcome() {
    echo "=> $case: $1"
    end
}
