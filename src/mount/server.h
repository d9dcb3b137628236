/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_SERVER_H
#define MOUNT_SERVER_H

/*
 * The mount task: it lives in the child's mount namespace, makes one source after the other and sends each to the child itself,
 * so that an answer needs no way back through the embedder's event loop.
 *
 * It shares this process's memory (the struct below), but has descriptors, root directory and namespaces of its own.
 */

#include <stdint.h>
#include "mount/source.h"

#define SERVER_SLOTS 32         /* requests under way; the child may not have more unanswered */

/* A slot goes down this list; what belongs to a state is written before it, and read after it. */
enum server_state {
        SERVER_FREE,
        SERVER_POSTED,          /* the broker's: waiting */
        SERVER_ANSWERED,        /* the task's: as good as sent, the child may have it already */
        SERVER_DONE,            /* the task's: sent; nothing of the slot is looked at any more */
        SERVER_FAILED,          /* the task's: see the result; it serves nothing after that */
};

struct server_slot {
        uint32_t state;
        struct source_request request;
        const char *name;       /* of the descriptor packet: the source as the child wrote it */
        size_t n_name;
        struct source_result result;
        uint64_t time_ns;       /* when it was answered */
};

struct server {
        /* Descriptors at the time the task is started; in its own table they keep their numbers. */
        int control, socket, pidfd;
        int embedder;           /* pid */
        const char *answer;     /* the packet before the descriptor packet */
        size_t n_answer;
        int ended;              /* a negative errno that the task ended with, and the call */
        const char *ended_by;
        uint32_t wake;          /* the broker wants to hear of every answer, not only of failures */
        struct server_slot slots[SERVER_SLOTS];
};

/*
 * What goes over the control socket, beside the descriptors that the request names (userns_fd, source_fd, in this order). A user
 * namespace with a mark is kept until one with another comes, and need not be sent again.
 */
struct server_order {
        uint32_t slot, userns_mark, has_userns;
};

/* server_run() - the task's main function; @server is a struct server */
int server_run(void *arg);

#endif /* MOUNT_SERVER_H */
