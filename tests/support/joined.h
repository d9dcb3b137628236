/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_JOINED_H
#define SUPPORT_JOINED_H

/* The mount task as the session uses it: a child in a mount namespace of its own, and the child's end of the socket. */

#include "mount/broker.h"

#define JOINED_ANSWER "the packet before"

struct joined {
        struct broker broker;
        int child, pidfd;       /* whose namespace the task joins */
        int sockets[2];         /* the runtime's end, the child's */
};

/** joined_child() - a process that has made @prepare in an empty namespace_dir() of its own, and then waits; dies with us */
int joined_child(void (*prepare)(void), int *ret_pidfd);

/** joined_join() - the task alone, of a child and sockets that are there; what broker_start() returned */
int joined_join(struct joined *joined);

/** joined_start() - child, sockets, task */
void joined_start(struct joined *joined, void (*prepare)(void));

/** joined_stop() - all of it; the task has @timeout_ms to go */
void joined_stop(struct joined *joined, int timeout_ms);

/** joined_post() - order @path (which must stay), in @rootfs or not; what broker_post() returned */
int joined_post(struct joined *joined, const char *rootfs, const char *path);

/** joined_receive() - the next answer: its descriptor, and the name into @to */
int joined_receive(struct joined *joined, char *to, size_t size);

/** joined_failed() - wait for the task to fail; the slot */
const struct server_slot *joined_failed(struct joined *joined);

/** joined_task() - the task's pid */
int joined_task(const struct joined *joined);

#endif
