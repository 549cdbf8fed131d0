# Three orphans end. Who waits for them? A Z in the column STAT is a zombie.
cd "$(dirname "$0")" && . ./common.sh

orphans='(sleep 50 & sleep 50 & sleep 50 &)'

zombies() { ps -o stat= --ppid "$pid1" | grep -c Z; }
have_ended() { ! has 'sleep 50'; }
no_zombies() { [ "$(zombies)" = 0 ]; }

end_orphans() {
    wait_until has 'sleep 50' 3
    wait_until has 'sleep 60'
    kill -TERM $(found 'sleep 50')
    wait_until have_ended
    within_5_s no_zombies
    look
    outcome "$(zombies) zombies"
}

start "no init" sh -c "$orphans; exec sleep 60"
end_orphans
start "a shell" sh -c "$orphans; sleep 60; echo bye"
end_orphans
start "pyinit" pyinit -- sh -c "$orphans; exec sleep 60"
end_orphans
