/* SPDX-License-Identifier: MIT */
#ifndef IO_PRIORITY_H
#define IO_PRIORITY_H

/*
 * process.ioPriority: whose reads and writes come first. Set from outside, as limits are.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <initsync.h>
#include "node.h"

struct io_priority {
        bool set;
        int value;                      /* class and level, as ioprio_set(2) takes them */
};

/* io_priority_read() - "ioPriority" of @process */
int io_priority_read(struct io_priority *priority, const struct node *process, struct initsync_error *reterr);

/* io_priority_apply() - to the process @pid, which @pidfd is a descriptor of; what it starts inherits it */
int io_priority_apply(const struct io_priority *priority, pid_t pid, int pidfd, struct initsync_error *reterr);

#endif /* IO_PRIORITY_H */
