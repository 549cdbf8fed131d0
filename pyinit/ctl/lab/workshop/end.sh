# `main` ends while its helper is at work (programs/main, helper, stubborn). What becomes of the helper?
cd "$(dirname "$0")" && . ./common.sh

main() { ps -o pid=,comm= -p "$(family)" | awk '$2 == "main" { print $1 }'; }

end_main() {
    wait_until said ready
    look
    echo "We end main, which is $(main)."
    kill -TERM "$(main)"
    wait_until has_ended
    cat "$output"
    if said saved; then
        outcome "the helper saves its work, status $status"
    else
        outcome "the helper is cut off, status $status"
    fi
}

start "no init" main helper
end_main
start "a shell" sh -c 'main helper; exit $?'
end_main
start "pyinit" pyinit -- main helper
end_main
start "stubborn" pyinit --grace 1 -- main stubborn
end_main
