/* What the program that makes orphans and the watcher share. */
#include <stdint.h>

struct storm {
    int64_t began;    /* CLOCK_MONOTONIC, in ns: a burst was released, or a stream began; 0 before */
    int32_t made;     /* orphans so far */
    int32_t ended;    /* of these, those that are about to exit, or have */
    int32_t refused;  /* calls of fork that failed */
    int32_t released; /* a burst may end */
};
