/* The program under an init: receives signals, and makes orphans when told to.
 *
 *     program [BACKGROUND COUNT SHAPE FILE]
 *
 * Writes 8 bytes to standard output when it is ready (zeros), and for each USR1 the time when it came, in nanoseconds
 * of CLOCK_MONOTONIC. At USR2 it leaves COUNT orphans behind. TERM ends it. SHAPE is two letters:
 *
 *     b or s   burst: all of them live until the last one is made, then end at once; or a stream: each ends at once
 *     f or n   flat: they have a parent that ends; or nested: each is the parent of the next, ten deep
 *
 * BACKGROUND is the number of orphans that just live, from the beginning. FILE is mapped and shared with the watcher.
 * The orphans have a session of their own, so that no signal for this program reaches them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#include "storm.h"

#define DEPTH 10
#define BATCH 100

static struct storm *storm;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Where processes or memory are used up for the moment, zombies are there that will go. */
static pid_t fork_at_last(void)
{
    pid_t pid;
    while ((pid = fork()) < 0) {
        __atomic_add_fetch(&storm->refused, 1, __ATOMIC_RELAXED);
        usleep(1000);
    }
    if (pid > 0)
        __atomic_add_fetch(&storm->made, 1, __ATOMIC_RELAXED);
    return pid;
}

static void orphan(int burst)
{
    while (burst && !__atomic_load_n(&storm->released, __ATOMIC_ACQUIRE))
        syscall(SYS_futex, &storm->released, FUTEX_WAIT, 0, NULL, NULL, 0);
    __atomic_add_fetch(&storm->ended, 1, __ATOMIC_RELAXED);
    _exit(0);
}

/* The first of that many processes, of which each is the parent of the next. */
static void chain(long processes, int burst)
{
    while (--processes > 0)
        if (fork_at_last() != 0)
            break;
    orphan(burst);
}

static void flat(long processes)
{
    while (processes-- > 0)
        if (fork_at_last() == 0)
            orphan(1);
}

/* vfork copies no memory: that way orphans are made as fast as they can be had. */
static pid_t vfork_one_that_ends(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    return pid;
}

static void flat_stream(long processes)
{
    while (processes > 0) {
        if (vfork_one_that_ends() < 0) {
            __atomic_add_fetch(&storm->refused, 1, __ATOMIC_RELAXED);
            usleep(1000);
        } else {
            __atomic_add_fetch(&storm->made, 1, __ATOMIC_RELAXED);
            __atomic_add_fetch(&storm->ended, 1, __ATOMIC_RELAXED);
            processes--;
        }
    }
}

/* Some parents at a time, of which each leaves a batch behind; they themselves are not counted, nor left. */
static void make(long count, int burst, int nested)
{
    setsid();
    for (long left = count; left > 0; left -= BATCH) {
        long batch = left < BATCH ? left : BATCH;
        pid_t parent;
        while ((parent = fork()) < 0)
            usleep(1000);
        if (parent == 0) {
            if (nested) {
                for (long processes = batch; processes > 0; processes -= DEPTH)
                    if (fork_at_last() == 0)
                        chain(processes < DEPTH ? processes : DEPTH, burst);
            } else if (burst) {
                flat(batch);
            } else {
                flat_stream(batch);
            }
            _exit(0);
        }
        waitpid(parent, NULL, 0);
    }
    while (__atomic_load_n(&storm->made, __ATOMIC_ACQUIRE) < count) /* the last chain may not be complete */
        usleep(1000);
    if (burst) {
        __atomic_store_n(&storm->began, now(), __ATOMIC_RELEASE);
        __atomic_store_n(&storm->released, 1, __ATOMIC_RELEASE);
        syscall(SYS_futex, &storm->released, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    _exit(0);
}

static void leave_in_background(long processes)
{
    if (fork() == 0) {
        setsid();
        while (processes-- > 0)
            if (fork() == 0)
                for (;;)
                    pause();
        _exit(0);
    }
    wait(NULL);
}

int main(int count, char **words)
{
    sigset_t every;
    sigfillset(&every);
    sigprocmask(SIG_BLOCK, &every, NULL);
    if (count == 5) {
        int file = open(words[4], O_RDWR | O_CLOEXEC);
        storm = mmap(NULL, sizeof *storm, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (storm == MAP_FAILED)
            return 1;
        leave_in_background(atol(words[1]));
    }
    int64_t time = 0;
    for (;;) {
        if (write(1, &time, sizeof time) != sizeof time)
            return 1;
        int number;
        while ((number = sigwaitinfo(&every, NULL)) != SIGUSR1) {
            if (number == SIGTERM)
                return 0;
            if (number == SIGCHLD)
                while (waitpid(-1, NULL, WNOHANG) > 0)
                    ;
            if (number == SIGUSR2 && storm) {
                int burst = words[3][0] == 'b';
                if (!burst)
                    __atomic_store_n(&storm->began, now(), __ATOMIC_RELEASE);
                if (fork() == 0)
                    make(atol(words[2]), burst, words[3][1] == 'n');
            }
        }
        time = now();
    }
}
