/* Keep a processor busy, until whoever started this ends. */
#include <signal.h>
#include <sys/prctl.h>

int main(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile unsigned long turn = 0;; turn++)
        ;
}
