# Write a file into a directory that belongs to somebody else (programs/world makes it). Whose is the file?
cd "$(dirname "$0")" && . ./common.sh
. ./users.sh

write() {
    wait_until has 'sleep 60'
    ps -o uid,args -p "$(found 'sleep 60')"
    file=/proc/$pid1/root/mnt/host/new
    if [ -e "$file" ]; then
        ls -n "$file"
        outcome "the file is UID $(stat -c %u "$file")'s"
    else
        cat "$output"
        outcome "it cannot write"
    fi
}

start "no init" world /mnt/writer
write
start "a shell" world sh -c '/mnt/writer; echo bye'
write
start "USER dev" world $as_dev /mnt/writer
write
start "pyinit" world pyinit -u dev --match-owner /mnt/work -- /mnt/writer
write
