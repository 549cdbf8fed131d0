/* Send a signal to a process again and again, and write how long each took to arrive.
 *
 *     sender PID SIGNAL COUNT INTERVAL
 *
 * For each signal the receiver writes the time when it got it, 8 bytes, which are read here from standard input. Only
 * then, and INTERVAL nanoseconds later, comes the next. Written to standard output, 8 bytes for each signal: the
 * nanoseconds from before kill to the time that the receiver wrote; -1 for a signal that did not arrive within two
 * seconds. COUNT may be 0: until TERM. The end of standard input is an end too.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Returns the time of arrival of what was sent at that time, -1 if it does not arrive, 0 at the end. */
static int64_t arrival(int64_t sent)
{
    struct pollfd input = {0, POLLIN, 0};
    int64_t time;
    while (!ended) {
        int64_t left = sent + 2000000000 - now();
        int ready = left > 0 ? poll(&input, 1, (int)(left / 1000000) + 1) : 0;
        if (ready == 0)
            return -1;
        if (ready > 0) {
            if (read(0, &time, sizeof time) != sizeof time)
                return 0;
            if (time >= sent) /* else it is one that was given up */
                return time;
        }
    }
    return 0;
}

int main(int count, char **words)
{
    if (count != 5)
        return 2;
    pid_t target = atoi(words[1]);
    int number = atoi(words[2]);
    long signals = atol(words[3]);
    int64_t interval = atoll(words[4]);
    struct timespec pause = {interval / 1000000000, interval % 1000000000};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct sigaction action = {.sa_handler = end}; /* without SA_RESTART */
    sigaction(SIGTERM, &action, NULL);

    for (long each = 0; (signals == 0 || each < signals) && !ended; each++) {
        int64_t sent = now();
        if (kill(target, number))
            return 1;
        int64_t arrived = arrival(sent);
        if (arrived == 0)
            break;
        int64_t taken = arrived < 0 ? -1 : arrived - sent;
        fwrite(&taken, sizeof taken, 1, stdout);
        if (interval)
            nanosleep(&pause, NULL);
    }
    return 0;
}
