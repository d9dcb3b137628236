/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/syscalls.h"
#include "session/parent.h"
#include "wire/encode.h"
#include "wire/packet.h"

/*
 * Nothing here waits. What the child's queue has no room for is kept, one answer and one procError at most, and sent when there
 * is room.
 */

static void sent(struct initsync_parent *parent, enum message_type type, const char *packet, size_t n) {
        trace_packet(&parent->trace, clock_now(), 1, packet, n);
        if (type == MESSAGE_ERROR)
                return;
        parent->step = turn_next(parent->step, TURN_PARENT, type);
        if (type == MESSAGE_HOOKS_DONE || type == MESSAGE_RUN || type == MESSAGE_SECCOMP_DONE) {
                /* The child is about its own work now. */
                deadline_pause(&parent->deadlines, clock_now());
                deadline_set(&parent->deadlines, DEADLINE_WORK, parent->options.work_ms, clock_now());
        }
}

void parent_peer_gone(struct initsync_parent *parent) {
        parent->peer_gone = 1;
        /* One that lives and has only closed its reading half must not keep us. */
        deadline_set(&parent->deadlines, DEADLINE_SEND, parent->options.timeout_ms, clock_now());
}

static void not_sent(struct initsync_parent *parent, enum message_type type, int r, const char *call) {
        struct initsync_error error;

        error_set(&error, r, INITSYNC_STAGE_WIRE, call, NULL, "sending %s", message_name(type));
        parent_fail(parent, &error, BLAME_NOBODY);
}

static void failed(struct initsync_parent *parent, enum message_type type, int r) {
        if (r == -EPIPE || r == -ECONNRESET) {
                parent_peer_gone(parent);
                return;
        }
        not_sent(parent, type, r, "sendmsg");
}

void parent_send(struct initsync_parent *parent, enum message_type type) {
        struct bytes packet = encode_plain(type);
        int r, on = 1;

        if (type == MESSAGE_RUN && parent->options.flags & INITSYNC_PARENT_SECCOMP_FD && parent->refuses) {
                r = sys_setsockopt(parent->socket, SOL_SOCKET, SYS_SO_PASSRIGHTS, &on, sizeof(on));
                if (r < 0) {            /* the child could not send its listener, and would get the blame */
                        not_sent(parent, type, r, "setsockopt");
                        return;
                }
        }
        r = packet_send(parent->socket, packet.data, packet.n, -1);
        if (r == -EAGAIN) {
                parent->unsent = (int)type;
                deadline_set(&parent->deadlines, DEADLINE_SEND, parent->options.timeout_ms, clock_now());
        } else if (r < 0) {
                failed(parent, type, r);
        } else {
                sent(parent, type, packet.data, packet.n);
        }
}

/* After procError nothing of ours may follow. */
static void shut(struct initsync_parent *parent) {
        sys_shutdown(parent->socket, SHUT_WR);
}

void parent_send_error(struct initsync_parent *parent) {
        char packet[LIMIT_ANSWER];
        size_t n = encode_error(&parent->error, packet);
        int r = packet_send(parent->socket, packet, n, -1);

        if (r == -EAGAIN) {
                parent->unsent = MESSAGE_ERROR; /* encoded anew when there is room */
                return;
        }
        if (r == 0)
                sent(parent, MESSAGE_ERROR, packet, n);
        shut(parent);
}

void parent_flush(struct initsync_parent *parent) {
        int type = parent->unsent;

        if (type < 0)
                return;
        parent->unsent = -1;
        deadline_clear(&parent->deadlines, DEADLINE_SEND);
        if (type == MESSAGE_ERROR)
                parent_send_error(parent);
        else
                parent_send(parent, (enum message_type)type);
}
