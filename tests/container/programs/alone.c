/* The one program of an image that has nothing else; linked statically.

   alone signals   says which signals come, and ends with 7 at TERM
   alone orphan    leaves a process whose parent is gone, and says what becomes of it
   alone tell ...  says its UID and GID, then of each word a line: of a path who owns it, else the variable's value */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int signals(void)
{
    sigset_t every;
    int number;

    sigfillset(&every);
    sigprocmask(SIG_BLOCK, &every, NULL);
    puts("ready");
    while (sigwait(&every, &number) == 0) {
        printf("SIG%s\n", sigabbrev_np(number));
        if (number == SIGTERM)
            return 7;
    }
    return 1;
}

static int orphan(void)
{
    int ends[2];
    pid_t pid;

    if (pipe(ends) != 0)
        return 1;
    if (fork() == 0) {
        if ((pid = fork()) != 0) {
            write(ends[1], &pid, sizeof pid);
            _exit(0);
        }
        while (getppid() != 1)
            usleep(1000);
        puts("adopted");
        return 0;
    }
    read(ends[0], &pid, sizeof pid);
    while (kill(pid, 0) == 0) /* a zombie is still there */
        usleep(1000);
    puts(errno == ESRCH ? "reaped" : strerror(errno));
    return 0;
}

static int tell(char **words)
{
    struct stat status;

    printf("%d %d\n", getuid(), getgid());
    for (; *words; words++)
        if (**words != '/')
            puts(getenv(*words) ? getenv(*words) : "-");
        else if (lstat(*words, &status) == 0)
            printf("%d %d\n", status.st_uid, status.st_gid);
        else
            puts(strerror(errno));
    return 0;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 2 && !strcmp(words[1], "signals"))
        return signals();
    if (count == 2 && !strcmp(words[1], "orphan"))
        return orphan();
    if (count >= 2 && !strcmp(words[1], "tell"))
        return tell(words + 2);
    return 2;
}
