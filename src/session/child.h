/* SPDX-License-Identifier: MIT */
#ifndef SESSION_CHILD_H
#define SESSION_CHILD_H

/* The container's side of one conversation. Everything waits, with deadlines. */

#include "session/trace.h"
#include "wire/channel.h"
#include "wire/turn.h"

struct sender;

struct initsync_child {
        struct initsync_child_options options;
        struct trace trace;
        int timeout_ms, step;
        int result;                     /* of the first failure: every further call returns it */
        struct initsync_error error;
        int told;                       /* procError went one way or the other */
        char seccomp[64];               /* the message, but for its number: written before the filter is loaded */
        int prepared;
        struct sender *sender;          /* of the descriptor form; NULL: we send it ourselves */
        struct channel channel;         /* ends with its buffers, whose pages are touched as far as packets are long */
};

/* child_check() - may @type be sent now; -EBUSY, or what failed before */
int child_check(const struct initsync_child *child, enum message_type type, struct initsync_error *reterr);

/* child_send() - a message, which advances the step */
int child_send(struct initsync_child *child, enum message_type type, const char *packet, size_t n,
               struct initsync_error *reterr);

/* child_write() - a packet by write(2) alone: all that a filter leaves. Return: 0, or a negative errno */
int child_write(const struct initsync_child *child, const char *packet, size_t n);

/* child_send_ahead() - the same while answers are due, and without waiting: 1 when there is no room for it now */
int child_send_ahead(struct initsync_child *child, enum message_type type, const char *packet, size_t n,
                     struct initsync_error *reterr);

/* child_receive() - the answer, which must be @type; its descriptor in *@ret_fd if it has one (NULL: it must not) */
int child_receive(struct initsync_child *child, enum message_type type, int timeout_ms, struct message *ret, int *ret_fd,
                  struct initsync_error *reterr);

/* child_told() - procError came: fills @error with what it says */
int child_told(struct initsync_child *child, const struct message *message, struct initsync_error *error);

/* child_fail() - remember a failure; returns its code */
int child_fail(struct initsync_child *child, struct initsync_error *error, struct initsync_error *reterr);

#endif /* SESSION_CHILD_H */
