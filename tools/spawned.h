/* SPDX-License-Identifier: MIT */
#ifndef SPAWNED_H
#define SPAWNED_H

/*
 * The process that becomes a container, in its namespaces from the first instruction on.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"
#include "joined.h"
#include "keeper.h"

struct spawned {
        struct joined joined;           /* namespaces that it was started in */
        pid_t pid;                      /* not reaped before spawn_wait(); 0: there is none */
        int pidfd, socket_fd;           /* the parent's end of the conversation */
        int score_fd;                   /* limits_open_score()'s */
        struct keeper keeper;           /* its parent, if there is one between it and us */
};
#define SPAWNED_NONE { JOINED_NONE, 0, -1, -1, -1, KEEPER_NONE }

struct spawn_how {
        uint64_t child_flags;           /* INITSYNC_CHILD_* */
        int console, tree;              /* descriptors of ours that the child half gets as init_run()'s, or -1 */
};

/*
 * spawn() - start the child half for @bundle
 *
 * Its ids are mapped when this returns, and it is in its mount namespace. It is killed when the calling thread ends. For
 * spawn_end() also after a failure.
 */
int spawn(struct spawned *spawned, const struct bundle *bundle, const struct spawn_how *how, struct initsync_error *reterr);

/* spawn_signal() - to the process; one that has ended is no error */
void spawn_signal(const struct spawned *spawned, int number);

/* spawn_wait() - reap it. Return: 1 and its exit status or 128 + a signal; 0 after @timeout_ms; -1 waits without limit */
int spawn_wait(struct spawned *spawned, int timeout_ms, int *ret_status);

/* spawn_end() - kill it if it is there, with all that is left of the container, and release what is left of it here */
void spawn_end(struct spawned *spawned);

#endif /* SPAWNED_H */
