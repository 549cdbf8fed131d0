/* Start a command as PID 1 of a PID namespace, with a /proc and a session of its own, and tell when it began and ended.
 *
 *     starter REPORT TERM_AT CGROUP COMMAND...
 *
 * REPORT is a descriptor; "PID EXEC\n" is written to it at once, and "EXIT STATUS\n" at the end. Times are nanoseconds
 * of CLOCK_MONOTONIC, EXEC the one just before execve; STATUS is as from wait. TERM is sent TERM_AT nanoseconds after
 * EXEC, unless that is negative. CGROUP is the directory of a cgroup to start in, or "".
 *
 * unshare and the like are not in the figure that way. Everything in the namespace dies with this process, and this
 * process with the one that started it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t init;

static void die(const char *what)
{
    fprintf(stderr, "starter: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void end(int signal)
{
    (void)signal;
    kill(init, SIGKILL);
}

static void enter(const char *cgroup)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "0", 1) != 1)
        die(path);
    close(file);
}

int main(int count, char **words)
{
    if (count < 5)
        return 2;
    int report = atoi(words[1]);
    int64_t term_at = atoll(words[2]);
    int64_t *began = mmap(NULL, sizeof *began, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (began == MAP_FAILED || fcntl(report, F_SETFD, FD_CLOEXEC))
        die("preparing");
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    sigset_t ending, before;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, &before);
    /* Not clone(3), which wants a stack: this is fork with namespaces (man 2 clone). */
    init = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
    if (init < 0)
        die("a PID namespace needs root");
    if (init == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (*words[3])
            enter(words[3]);
        if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
            die("mounting /proc");
        setsid();
        sigprocmask(SIG_SETMASK, &before, NULL);
        __atomic_store_n(began, now(), __ATOMIC_SEQ_CST);
        execv(words[4], words + 4);
        die(words[4]);
    }
    signal(SIGTERM, end);
    signal(SIGINT, end);
    sigprocmask(SIG_SETMASK, &before, NULL);

    int64_t exec;
    siginfo_t ended = {0};
    while (!(exec = __atomic_load_n(began, __ATOMIC_SEQ_CST)) && ended.si_pid == 0) {
        waitid(P_PID, init, &ended, WEXITED | WNOHANG | WNOWAIT);
        sched_yield();
    }
    if (term_at >= 0) {
        while (now() < exec + term_at)
            ;
        kill(init, SIGTERM);
    }
    dprintf(report, "%d %lld\n", init, (long long)exec);
    int status;
    while (waitpid(init, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid");
    dprintf(report, "%lld %d\n", (long long)now(), status);
    return 0;
}
