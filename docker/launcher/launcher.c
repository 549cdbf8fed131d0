/* Starts pyinit as root for a container's user, since Linux ignores the set-user-ID bit of scripts (man 2 execve).

   Whoever starts this may be hostile. It decides nothing: pyinit reads /etc/fixuid and gives up root. All it does is to
   see that pyinit, and the interpreter below it, find nothing that could mislead them. Install it as root's, mode 4755. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PYINIT
#define PYINIT "/pyinit"
#endif

static int refuse(const char *why, const char *reason)
{
    dprintf(2, "pyinit launcher: %s%s\n", why, reason);
    return 1;
}

int main(int argc, char **argv)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    struct rlimit file_size;
    size_t count = 0;

    /* Where a standard descriptor is closed, the next file that is opened would become it: messages would go into
       /etc/passwd. open takes the lowest number that is free. */
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", O_RDWR) != descriptor)
            return 1;
    if (geteuid() != 0)
        return refuse("not running as root, so the user's IDs cannot be changed. Four things to check:\n"
                      "  - the launcher is owned by root: chown root:root\n"
                      "  - it has the set-user-ID bit: chmod 4755\n"
                      "  - the container runs without no-new-privileges (--security-opt; allowPrivilegeEscalation)\n"
                      "  - the launcher is not on a mount with the option nosuid", "");
    /* It holds for root too, and would cut off an account file that is written in place. */
    if (getrlimit(RLIMIT_FSIZE, &file_size) != 0 || file_size.rlim_cur != RLIM_INFINITY)
        return refuse("the size of files is limited, which might cut off the account files: ulimit -f unlimited", "");
    if (argc < 1) /* possible before Linux 5.18 */
        return refuse("started without a name", "");

    /* The caller's variables travel under names that begin with a dot, which mean nothing to the loader, the C library
       and the interpreter. pyinit takes the dots away for its program, which is no more privileged than the caller. */
    while (environ[count])
        count++;
    char **variables = calloc(count + 2, sizeof *variables);
    char **words = calloc((size_t)argc + 2, sizeof *words);
    /* What no variable can say: pyinit's first word. Of a script's name the kernel makes its path. */
    if (!variables || !words || asprintf(&words[1], "--launched-as=%s", argv[0]) < 0)
        return refuse("no memory", "");
    words[0] = argv[0];
    memcpy(words + 2, argv + 1, (size_t)(argc - 1) * sizeof *words);
    variables[0] = path;
    for (size_t i = 0; i < count; i++)
        if (asprintf(&variables[i + 1], ".%s", environ[i]) < 0)
            return refuse("no memory", "");
    execve(PYINIT, words, variables);
    return refuse("cannot start " PYINIT ": ", strerror(errno));
}
