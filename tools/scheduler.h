/* SPDX-License-Identifier: MIT */
#ifndef SCHEDULER_H
#define SCHEDULER_H

/*
 * process.scheduler: how the kernel shares processors out to the container's process, and what that one starts.
 *
 * Set from outside, as limits are: the right to it is one of the first user namespace, where the process may not be.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <initsync.h>
#include "node.h"

struct scheduler {
        bool set;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;     /* nanoseconds */
};

/* scheduler_read() - "scheduler" of @process */
int scheduler_read(struct scheduler *scheduler, const struct node *process, struct initsync_error *reterr);

/* scheduler_apply() - to the process @pid, which @pidfd is a descriptor of */
int scheduler_apply(const struct scheduler *scheduler, pid_t pid, int pidfd, struct initsync_error *reterr);

#endif /* SCHEDULER_H */
