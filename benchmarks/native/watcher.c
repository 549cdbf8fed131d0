/* Watch a storm of orphans from outside, until the last of them is reaped.
 *
 *     watcher PIDS FILE COUNT
 *
 * PIDS is the file pids.current of the cgroup that the init started in: the number of processes in it, zombies and all.
 * FILE is shared with the program that makes the COUNT orphans, which must be quiet when this starts. This says so by
 * a line on standard output, and at the end writes another:
 *
 *     BEGAN LAST ZOMBIES REFUSED
 *
 * BEGAN and LAST are the times in ns of CLOCK_MONOTONIC at which the storm began and the last orphan was gone, ZOMBIES
 * is the largest number of processes seen that had ended but were not reaped, REFUSED how often fork failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int processes(int file)
{
    char text[32];
    ssize_t size = pread(file, text, sizeof text - 1, 0);
    if (size <= 0)
        exit(1);
    text[size] = 0;
    return atoi(text);
}

int main(int words_count, char **words)
{
    if (words_count != 4)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int pids = open(words[1], O_RDONLY | O_CLOEXEC);
    int file = open(words[2], O_RDWR | O_CLOEXEC);
    struct storm *storm = mmap(NULL, sizeof *storm, PROT_READ, MAP_SHARED, file, 0);
    if (pids < 0 || storm == MAP_FAILED)
        return 1;
    int count = atoi(words[3]);
    int before = processes(pids);
    printf("ready\n");
    fflush(stdout);

    int most = 0;
    struct timespec pause = {0, 200000};
    for (;;) {
        /* In this order, so that whoever ends in between is not taken for a zombie. */
        int ended = __atomic_load_n(&storm->ended, __ATOMIC_ACQUIRE);
        int all = processes(pids);
        int made = __atomic_load_n(&storm->made, __ATOMIC_ACQUIRE);
        int zombies = all - before - (made - ended);
        int most_possible = __atomic_load_n(&storm->ended, __ATOMIC_ACQUIRE);
        if (zombies > most_possible) /* who makes the orphans is counted, too */
            zombies = most_possible;
        if (zombies > most)
            most = zombies;
        if (ended == count && all <= before)
            break;
        nanosleep(&pause, NULL);
    }
    printf("%lld %lld %d %d\n", (long long)storm->began, (long long)now(), most, storm->refused);
    return 0;
}
