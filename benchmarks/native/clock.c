/* Print the time at which a program gets to run: nanoseconds of CLOCK_MONOTONIC. */
#include <stdio.h>
#include <time.h>

int main(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    printf("%lld\n", (long long)time.tv_sec * 1000000000 + time.tv_nsec);
    return 0;
}
