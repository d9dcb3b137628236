/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

/* Time that nobody sets: CLOCK_MONOTONIC in nanoseconds. A deadline of 0 is none. */

#include <stdint.h>
#include <time.h>

uint64_t clock_now(void);

/* clock_deadline() - @ms from now; 0 for a negative @ms */
uint64_t clock_deadline(int ms);

/* clock_left() - the time to @deadline, 0 when it is past */
void clock_left(uint64_t deadline, struct timespec *ret);

#endif /* KERNEL_CLOCK_H */
