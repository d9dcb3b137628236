/* SPDX-License-Identifier: MIT */
/* Of bytes.h, what the fuzzers use, too, which link nothing of cmocka. */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* splitmix64 */
uint32_t bytes_random(uint64_t *state) {
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return (uint32_t)(z >> 32);
}

uint64_t bytes_seed(void) {
        const char *text = getenv("INITSYNC_SEED");
        struct timespec now;
        uint64_t seed = 1;

        if (text && strcmp(text, "random") == 0) {
                clock_gettime(CLOCK_REALTIME, &now);
                seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        } else if (text) {
                seed = strtoull(text, NULL, 0);
        }
        fprintf(stdout, "# INITSYNC_SEED=%llu\n", (unsigned long long)seed);
        fflush(stdout);
        return seed;
}
