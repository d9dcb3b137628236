/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_BROKER_H
#define MOUNT_BROKER_H

/*
 * The embedder's side of the mount task: starts it with the first request, hands it orders, hears of what became of them, and
 * ends it. Nothing here waits, except broker_stop() for as long as it is told.
 */

#include "mount/server.h"

struct broker {
        struct server *server;  /* NULL before the first request; lies in the mapping with the task's stack */
        int control;            /* this side's end, -1 without a task; readable when there is something to collect */
        int task;               /* its pidfd */
        const char *failed;     /* the system call that broker_start() failed in */
        unsigned posted;        /* orders given so far; their slot is the number modulo SERVER_SLOTS */
        unsigned collected;     /* of these, how many have been collected */
        unsigned userns_mark;   /* of the user namespace that the task has kept */
};

/* broker_init() - no task yet */
void broker_init(struct broker *broker);

/*
 * broker_start() - start the task
 * @socket:     where it sends answers
 * @pidfd:      whose mount namespace it joins, with the first order
 * @answer:     the packet before each descriptor packet; must stay
 */
int broker_start(struct broker *broker, int socket, int pidfd, const char *answer, size_t n_answer);

/*
 * broker_post() - order a source
 * @request:    copied, but not the strings; descriptors in it are passed along and stay the caller's
 * @name:       of the descriptor packet; must stay until the order is collected
 *
 * Return: 0; -EAGAIN while SERVER_SLOTS orders are under way; another negative errno.
 */
int broker_post(struct broker *broker, const struct source_request *request, const char *name, size_t n_name);

/* broker_pending() - orders that the child has no answer to yet */
unsigned broker_pending(const struct broker *broker);

/*
 * broker_collect() - the oldest order that has been answered or has failed, NULL where there is none
 *
 * An order is collected once; its slot is free again after the next call.
 */
const struct server_slot *broker_collect(struct broker *broker);

/* broker_ended() - why the task ended by itself, beside what it was ordered: a negative errno, or 0 where it does not say */
int broker_ended(const struct broker *broker, const char **ret_call);

/* broker_failed() - the order that the task failed at, NULL where there is none */
const struct server_slot *broker_failed(const struct broker *broker);

/* broker_wake() - whether to hear of every answer by @control, or of failures only */
void broker_wake(struct broker *broker, int every);

/* broker_room() - can one more order be given */
int broker_room(const struct broker *broker);

/* broker_busy() - the oldest order, and its number, that is not quite done: also one that the child does not take; or NULL */
const struct server_slot *broker_busy(const struct broker *broker, unsigned *ret_order);

/* broker_drain() - empty the control socket; 0, or -ESRCH when the task is gone */
int broker_drain(struct broker *broker);

/* broker_quit() - no more orders: the task ends by itself when it has done what it has */
void broker_quit(struct broker *broker);

/* broker_kill() - end it without waiting */
void broker_kill(struct broker *broker);

/*
 * broker_stop() - end it, and release everything
 * @timeout_ms: how long to wait for a task that hangs in the kernel; then it is abandoned (see initsync_abandoned())
 */
void broker_stop(struct broker *broker, int timeout_ms);

/* broker_release() - in a forked process: release this process's share and leave the task alone */
void broker_release(struct broker *broker);

#endif /* MOUNT_BROKER_H */
