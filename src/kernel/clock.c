/* SPDX-License-Identifier: MIT */
#include "kernel/clock.h"

uint64_t clock_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);   /* by the vDSO: no system call */
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_deadline(int ms) {
        return ms < 0 ? 0 : clock_now() + (uint64_t)ms * 1000000u;
}

void clock_left(uint64_t deadline, struct timespec *ret) {
        uint64_t now = clock_now(), left = deadline > now ? deadline - now : 0;

        ret->tv_sec = (time_t)(left / 1000000000u);
        ret->tv_nsec = (long)(left % 1000000000u);
}
