/* SPDX-License-Identifier: MIT */
#ifndef TIME_OFFSETS_H
#define TIME_OFFSETS_H

/*
 * linux.timeOffsets: how far the clocks of a new time namespace are from those around it.
 */

#include <stdbool.h>
#include <initsync.h>
#include "node.h"

enum time_clock {
        TIME_MONOTONIC,
        TIME_BOOTTIME,
        N_TIME_CLOCKS
};

struct time_offsets {
        struct {
                bool set;
                int64_t seconds;
                uint32_t nanoseconds;
        } clocks[N_TIME_CLOCKS];
};

/* time_offsets_read() - "timeOffsets" of @linux_; @new: whether the container gets a time namespace of its own */
int time_offsets_read(struct time_offsets *offsets, const struct node *linux_, bool new, struct initsync_error *reterr);

/* time_offsets_write() - of the time namespace that the calling process has made, and is not in yet */
int time_offsets_write(const struct time_offsets *offsets, struct initsync_error *reterr);

#endif /* TIME_OFFSETS_H */
