/* SPDX-License-Identifier: MIT */
#ifndef SESSION_PARENT_H
#define SESSION_PARENT_H

/*
 * The runtime's side of one conversation. parent.c makes and frees it, run.c drives it, serve.c answers messages, end.c ends it.
 */

#include "mount/broker.h"
#include "session/deadline.h"
#include "session/policy.h"
#include "session/trace.h"
#include "wire/packet.h"
#include "wire/turn.h"

#define LOOK_MS 1000            /* how often a silent child is looked at */

enum parent_phase {
        PARENT_TALKING,
        PARENT_GRACE,           /* failed; the child has been told and may leave by itself */
        PARENT_KILLED,          /* failed; SIGKILL was sent */
        PARENT_ENDED,           /* nothing more will happen; @result is what every call returns */
};

enum parent_blame {
        BLAME_NOBODY,           /* the child may be honest: it is told, and gets its grace */
        BLAME_CHILD,            /* only hostility explains it: told, and killed at once */
        BLAME_TOLD,             /* it knows: it said so itself, or is gone */
};

/* Which callback will be resumed. */
enum parent_waiting {
        WAITING_NO,
        WAITING_ALLOW,
        WAITING_HOOKS,
        WAITING_READY,
        WAITING_SECCOMP,
};

/* What belongs to a slot of the broker: whose order it is and, for one that is not the list's, its strings. */
struct grant {
        char *source, *clean;
        int index;              /* in the list, or -1 */
};

struct initsync_parent {
        unsigned long owner;    /* origin(); in any other process the object is dead */
        int socket, pidfd, epoll, timer, stat_fd;
        struct initsync_parent_options options;         /* lists and strings of it are in @policy */
        struct policy policy;
        struct broker broker;
        struct grant grants[SERVER_SLOTS];
        struct trace trace;

        struct initsync_userns_cache *cache;            /* in use; the session's own when options.userns_cache is NULL */
        int userns_fd;                                  /* of the last map served, whose maps are the two below */
        unsigned userns_mark;                           /* another for each such map */
        struct initsync_idmap *last_maps;
        size_t n_last_uids, n_last_gids;

        int step;
        enum parent_phase phase;
        enum parent_waiting waiting;
        struct initsync_mount asked, serve;             /* of an allow callback */
        int requests;           /* seen so far */
        int given[PACKET_RAW_FDS];      /* descriptors of the child's, until one is known to be a seccomp listener */
        int expect_listener;    /* the next packet brings it */
        struct deadlines deadlines;
        uint64_t armed;         /* what the timer is set to */
        unsigned watched;       /* epoll events of the socket at present */

        int unsent;             /* a message type that the child's queue had no room for, or -1 */
        int refuses;            /* the kernel lets no descriptors of the child's in */
        int peer_gone, child_dead, eof, killed, stopped, kill_called;

        int result;
        struct initsync_error error;

        struct message_mount mount;
        size_t touched;         /* bytes of @packet that hold memory */
        char packet[LIMIT_REQUEST + 1];
};

/* run.c */

/* parent_watch() - read the socket (and write, when something is unsent), or leave it alone; 0 or a negative errno */
int parent_watch(struct initsync_parent *parent);

/* parent_arm() - have the timer wake the embedder at the next deadline */
void parent_arm(struct initsync_parent *parent);

/* serve.c */

/* parent_receive() - read and answer what the child sent; 0 when there is no more of it that could be read now */
int parent_receive(struct initsync_parent *parent);

/* parent_collect() - take note of mount requests that were answered or have failed */
void parent_collect(struct initsync_parent *parent);

/* parent_mount_task() - the mount task's socket is readable */
void parent_mount_task(struct initsync_parent *parent);

/* parent_told() - procError came */
void parent_told(struct initsync_parent *parent, const struct message *message);

/* parent_last_words() - look for a procError among what a dead child had sent, when that cannot be served any more */
void parent_last_words(struct initsync_parent *parent);

/* parent_can_read() - may the next message be looked at now */
int parent_can_read(struct initsync_parent *parent);

/* callback.c */

/* parent_ask() - run the callback of a step, and answer for it */
void parent_ask(struct initsync_parent *parent, enum parent_waiting what);

/* parent_ask_allow() - the same for a mount that is not listed; parent->asked is filled */
void parent_ask_allow(struct initsync_parent *parent);

/* parent_answer() - what a callback decided */
void parent_answer(struct initsync_parent *parent, enum parent_waiting what, int result, struct initsync_error *why);

/* order.c */

/* parent_order_entry() - have a listed mount made and sent */
void parent_order_entry(struct initsync_parent *parent, const struct policy_entry *entry);

/* parent_order_other() - have @mount made and sent, which is not listed but allowed; @name is the source as the child wrote it */
void parent_order_other(struct initsync_parent *parent, const struct initsync_mount *allowed, const char *name);

void parent_free_grants(struct initsync_parent *parent);

/* listener.c */

/* parent_listener() - procSeccomp came: get the descriptor, and hand it to the callback if it is what it should be */
void parent_listener(struct initsync_parent *parent, int64_t number, int has_fd);
int parent_receive_listener(struct initsync_parent *parent);
void parent_close_given(struct initsync_parent *parent);

/* send.c */

/* parent_peer_gone() - a send found nobody there: why, is still to be read from the socket */
void parent_peer_gone(struct initsync_parent *parent);

/* parent_send() - an answer without argument; advances the step once it is sent */
void parent_send(struct initsync_parent *parent, enum message_type type);

/* parent_send_error() - procError with parent->error, then no more */
void parent_send_error(struct initsync_parent *parent);

/* parent_flush() - there is room again for what was unsent */
void parent_flush(struct initsync_parent *parent);

/* end.c */

/*
 * parent_fail() - the conversation has failed with @error (its code, stage, call, path and text; the rest is added); the first
 * cause counts, a later one is dropped
 */
void parent_fail(struct initsync_parent *parent, const struct initsync_error *error, enum parent_blame blame);

/* parent_gone() - the child has closed the socket, or is dead and all it said is read */
void parent_gone(struct initsync_parent *parent);

/* parent_died() - its pidfd is readable */
void parent_died(struct initsync_parent *parent);

/* parent_due() - a deadline passed */
void parent_due(struct initsync_parent *parent, enum deadline_kind kind);

/* parent_abort() - the event loop itself is broken: end at once, with @error */
void parent_abort(struct initsync_parent *parent, int error, const char *call);

/* parent_unwatch_mount_task() - nothing it says is of interest any more */
void parent_unwatch_mount_task(struct initsync_parent *parent);

/* parent_discard() - what a failed conversation still receives */
void parent_discard(struct initsync_parent *parent);

#endif /* SESSION_PARENT_H */
