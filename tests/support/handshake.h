/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_HANDSHAKE_H
#define SUPPORT_HANDSHAKE_H

/*
 * One conversation with everything in it, between two processes, both of them the library's: mounts of every kind, hooks, ready,
 * seccomp. To be failed, starved, killed and disturbed; says what became of it, and whether that is in order.
 */

#include <initsync.h>

#define HANDSHAKE_BY_FD         1       /* procSeccomp carries the descriptor */
#define HANDSHAKE_CHILD_FAILS   2       /* after its mounts, and says so */
#define HANDSHAKE_HOSTILE       4       /* procHooks twice */
#define HANDSHAKE_CULPRIT       8       /* a tree of mounts, one of which cannot be id-mapped */
#define HANDSHAKE_DIES          16      /* without a word */
#define HANDSHAKE_NO_SECCOMP    32
#define HANDSHAKE_HOOKS_FAIL    64      /* the runtime's own */
#define HANDSHAKE_REMAP         128     /* a source that is id-mapped already */
#define HANDSHAKE_TRACE         256
#define HANDSHAKE_STRANGE_FD    512     /* what procSeccomp brings is no listener */
#define HANDSHAKE_NO_MOUNTS     1024
#define HANDSHAKE_LONG          2048    /* two maps, and a request of several pages */
#define HANDSHAKE_LINK          4096    /* a source in the root file system, by a symlink beside it */

/* One of the two, as it saw it. */
struct handshake_side {
        const char *call;               /* the function of the library that failed, or NULL */
        int result;
        struct initsync_error error;    /* filled where that function does */
};

/* In memory that both processes share. */
struct handshake {
        unsigned flags;
        struct handshake_side parent, child;
        int parent_pid, child_pid, child_status, has_status;
        int alive;                      /* the child outlived the failure of its conversation */
        int unlike;                     /* a failed conversation did not say the same again */
        int hooks, ready, seccomp, kills;
        int took_ms;
        int no_parent;                  /* one was never made */
        int pidfd;                      /* of the child, in the parent, until it is reaped */
        int mute;                       /* set by who takes the child's write(2) away for good */
        int knows, known_status;        /* initsync_parent_child_status(), after a success */
};

/* handshake_places() - the directories and mounts that it works with, below @dir; once, before any of them */
void handshake_places(const char *dir);

/* handshake_run() - both sides, from pair to end; leaves nothing */
void handshake_run(struct handshake *handshake);

/* handshake_new() - in shared memory, zeroed */
struct handshake *handshake_new(void);

/*
 * handshake_busy() - did it end with EAGAIN because the system has no room for one more task; waits a moment then, and it should be
 * tried again. Not for who makes calls fail with EAGAIN.
 */
int handshake_busy(const struct handshake *handshake);

/* Limits of a conversation, milliseconds, times handshake_patience. */
extern int handshake_patience;
#define HANDSHAKE_TIMEOUT 120
#define HANDSHAKE_GRACE 40
#define HANDSHAKE_BUDGET 800

/*
 * handshake_judge() - what is not in order, in @to, a line each; how many
 *
 * An error has a negative code, the one that was returned, and a printable text; a failure is final; nothing ran twice; no side
 * believes in a success that the other must know of; a child that failed is dead.
 */
int handshake_judge(const struct handshake *handshake, char *to, unsigned size);

#endif /* SUPPORT_HANDSHAKE_H */
