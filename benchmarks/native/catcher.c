/* A program with a handler for TERM: writes "r" when it is ready, "T" when TERM comes, "P" when PWR comes without it.
 *
 * PWR is sent when TERM must have arrived if it ever does; its number is higher, so that of both TERM comes first. */
#include <signal.h>
#include <unistd.h>

static void write_and_end(int signal)
{
    if (write(1, signal == SIGTERM ? "T" : "P", 1) < 0)
        _exit(1);
    _exit(0);
}

int main(void)
{
    struct sigaction action = {.sa_handler = write_and_end};
    sigfillset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPWR, &action, NULL);
    if (write(1, "r", 1) < 0)
        return 1;
    for (;;)
        pause();
}
