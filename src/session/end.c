/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "session/parent.h"
#include "session/watch.h"
#include "wire/packet.h"

/*
 * How a conversation fails: the child is told why, nothing more is served, for a short grace what still comes is thrown away,
 * what still lives then is killed by its pidfd, and only then is the failure reported.
 */

#define KILL_FIRST_MS 1000      /* after SIGKILL: then the embedder's own kill is called */
#define KILL_MORE_MS 4000       /* and after that the child is given up */
#define ABORT_MS 500            /* for a child that was killed to be gone */
#define BURST 32                /* packets thrown away before other sessions of the same loop get their turn */
#define DRAIN 64                /* calls of parent_receive(): more than an honest child, with 32 requests ahead, has in its queue */

static void append(struct initsync_error *error, const char *text) {
        size_t n = strlen(error->text), more = strlen(text);

        /* The cause is long: its end makes room, as this is short and says more. */
        if (n + more >= sizeof(error->text))
                n = text_cut(error->text, n, sizeof(error->text) - 1 - more);
        memcpy(error->text + n, text, more + 1);
}

static void note_status(struct initsync_parent *parent) {
        char words[64], text[96];
        int status;

        if (!process_dead(parent->pidfd)) {
                if (parent->kill_called)
                        append(&parent->error, " (the child is still there 5 s after SIGKILL)");
                return;
        }
        if (!process_status(parent->pidfd, &status))
                return;
        parent->error.status = status;
        /* Where the text has no better cause than that the child went, or kept silent. */
        if (!parent->killed && (parent->result == -ECONNRESET || parent->result == -ETIMEDOUT)) {
                snprintf(text, sizeof(text), " (the child: %s)", watch_status_text(status, words, sizeof(words)));
                append(&parent->error, text);
        }
}

static void finish(struct initsync_parent *parent) {
        if (parent->result < 0)
                note_status(parent);
        parent->phase = PARENT_ENDED;
        if (parent->watched)
                sys_epoll_ctl(parent->epoll, EPOLL_CTL_DEL, parent->socket, 0);
        parent->watched = 0;
        /*
         * A workload that kept its end by mistake or on purpose gets EPIPE from here on; also when a mount task that hangs still
         * has a copy of ours.
         */
        sys_shutdown(parent->socket, SHUT_RDWR);
        parent->socket = fd_close(parent->socket);
        parent_unwatch_mount_task(parent);
}

void parent_unwatch_mount_task(struct initsync_parent *parent) {
        if (parent->broker.control < 0)
                return;
        /* By name: a forked copy of the descriptor would keep it in the set. */
        sys_epoll_ctl(parent->epoll, EPOLL_CTL_DEL, parent->broker.control, 0);
        broker_quit(&parent->broker);
}

void parent_abort(struct initsync_parent *parent, int error, const char *call) {
        struct initsync_error why;

        error_set(&why, error, INITSYNC_STAGE_WIRE, call, NULL, "event loop of the conversation");
        parent_fail(parent, &why, BLAME_CHILD);
        if (parent->phase == PARENT_ENDED)
                return;
        process_wait(parent->pidfd, ABORT_MS);  /* what would tell of its death is what is broken */
        finish(parent);
}

static void kill_child(struct initsync_parent *parent) {
        if (parent->options.flags & INITSYNC_PARENT_NO_KILL) {
                finish(parent);
                return;
        }
        if (!parent->killed)
                process_kill(parent->pidfd);
        parent->killed = 1;
        parent->phase = PARENT_KILLED;
        deadline_set(&parent->deadlines, DEADLINE_END, KILL_FIRST_MS, clock_now());
}

static void tell_child(struct initsync_parent *parent, enum parent_blame blame) {
        if (blame == BLAME_TOLD || parent->peer_gone || parent->eof) {
                parent->unsent = -1;
                sys_shutdown(parent->socket, SHUT_WR);
                return;
        }
        parent->unsent = -1;            /* an answer that it did not take is not owed any more */
        parent_send_error(parent);
}

void parent_fail(struct initsync_parent *parent, const struct initsync_error *error, enum parent_blame blame) {
        int grace = parent->options.grace_ms;

        if (parent->phase != PARENT_TALKING)
                return;
        parent->error = *error;
        parent->error.step = parent->step;
        error_prefix(&parent->error, "step %s", initsync_step_name(parent->step));
        parent->result = parent->error.code;
        memset(&parent->deadlines, 0, sizeof(parent->deadlines));
        parent->phase = PARENT_GRACE;
        parent->step = INITSYNC_STEP_FAILED;
        parent_unwatch_mount_task(parent);
        broker_kill(&parent->broker);
        tell_child(parent, blame);
        if (parent->child_dead)
                finish(parent);
        else if (blame == BLAME_CHILD && !(parent->options.flags & INITSYNC_PARENT_NO_KILL))
                kill_child(parent);
        else
                deadline_set(&parent->deadlines, DEADLINE_END, grace, clock_now());
}

void parent_gone(struct initsync_parent *parent) {
        struct initsync_error error;

        if (parent->phase != PARENT_TALKING)
                return;
        if (!parent->waiting && parent->unsent < 0 && turn_next(parent->step, TURN_CHILD, MESSAGE_EOF) >= 0) {
                parent->step = INITSYNC_STEP_DONE;
                finish(parent);
                return;
        }
        error_say(&error, -ECONNRESET, INITSYNC_STAGE_PEER, NULL, NULL, "the child %s before the conversation was complete",
                  parent->child_dead ? "died" : "closed the socket");
        parent_fail(parent, &error, BLAME_TOLD);
}

/*
 * All that the child's main thread sent is in the queue by now. Whoever else holds the socket, other threads of it or a grandchild,
 * may fill it faster than it is read: neither the number of packets nor the time is theirs to say.
 */
static void drain(struct initsync_parent *parent) {
        int i;

        for (i = 0; i < DRAIN && parent->phase == PARENT_TALKING && parent_receive(parent); i++)
                if (deadline_due(&parent->deadlines, clock_now()) != DEADLINES)
                        break;
}

void parent_died(struct initsync_parent *parent) {
        parent->child_dead = 1;
        sys_epoll_ctl(parent->epoll, EPOLL_CTL_DEL, parent->pidfd, 0);
        deadline_clear(&parent->deadlines, DEADLINE_LOOK);
        drain(parent);
        if (!parent->eof)
                parent_last_words(parent);
        if (parent->phase == PARENT_TALKING)
                parent_gone(parent);
        else if (parent->phase != PARENT_ENDED)
                finish(parent);
}

static void timed_out(struct initsync_parent *parent, const char *what) {
        struct initsync_error error;

        error_say(&error, -ETIMEDOUT, INITSYNC_STAGE_PEER, NULL, NULL, "%s%s", what,
                  parent->stopped ? " (the child is stopped)" : "");
        parent_fail(parent, &error, BLAME_NOBODY);
}

static void request_timed_out(struct initsync_parent *parent) {
        const struct server_slot *slot;
        struct initsync_error error;
        unsigned order;

        parent_collect(parent);
        slot = parent->broker.server ? broker_busy(&parent->broker, &order) : NULL;
        if (parent->phase != PARENT_TALKING || !slot)
                return;
        error_say(&error, -ETIMEDOUT, INITSYNC_STAGE_MOUNT, NULL, slot->name,
                  "mount request %u: %s was not made, or not taken by the child, in time", order, slot->name);
        error.request = (int)order;
        error.mount = parent->grants[order % SERVER_SLOTS].index;
        parent_fail(parent, &error, BLAME_NOBODY);
}

/* A leader that is a zombie while its pidfd is silent: other threads live on, and there may never be an end-of-file. */
static void look(struct initsync_parent *parent) {
        struct initsync_error error;
        enum watch_state state = watch_look(parent->pidfd, &parent->stat_fd);

        deadline_set(&parent->deadlines, DEADLINE_LOOK, LOOK_MS, clock_now());
        parent->stopped = state == WATCH_STOPPED;
        if (state != WATCH_HALF_DEAD || process_dead(parent->pidfd))
                return;
        drain(parent);
        error_say(&error, -ECONNRESET, INITSYNC_STAGE_PEER, NULL, NULL,
                  "the child is half dead: its main thread has ended and others live on");
        parent_fail(parent, &error, BLAME_CHILD);
}

static void end_due(struct initsync_parent *parent) {
        if (parent->phase == PARENT_GRACE) {
                kill_child(parent);
        } else if (!parent->kill_called) {
                parent->kill_called = 1;
                deadline_set(&parent->deadlines, DEADLINE_END, KILL_MORE_MS, clock_now());
                if (parent->options.kill)
                        parent->options.kill(parent->options.userdata);
        } else {
                finish(parent);
        }
}

void parent_due(struct initsync_parent *parent, enum deadline_kind kind) {
        deadline_clear(&parent->deadlines, kind);
        switch (kind) {
        case DEADLINE_FIRST:
                timed_out(parent, "the child sent no first message in time");
                break;
        case DEADLINE_REQUEST:
                /* It may be that of an earlier request, whose answer nobody had told of: then the next one's runs now. */
                parent_collect(parent);
                if (!parent->deadlines.at[DEADLINE_REQUEST])
                        request_timed_out(parent);
                break;
        case DEADLINE_SEND:
                timed_out(parent, "the child does not take its answer");
                break;
        case DEADLINE_WORK:
                timed_out(parent, "the child was silent for longer than its own work may take");
                break;
        case DEADLINE_BUDGET:
                request_timed_out(parent);      /* names what it waits for, if that is a mount */
                timed_out(parent, "the whole conversation took too long");
                break;
        case DEADLINE_END:
                end_due(parent);
                break;
        case DEADLINE_LOOK:
                look(parent);
                break;
        case DEADLINES:
                break;
        }
}

void parent_discard(struct initsync_parent *parent) {
        char packet[256];
        const char *why;
        int i, r = -EAGAIN;

        for (i = 0; i < BURST; i++) {
                r = packet_receive(parent->socket, packet, sizeof(packet), &why);
                if (r <= 0 && r != -EMSGSIZE && r != -EPROTO)
                        break;
        }
        if (i == BURST || r == -EAGAIN)
                return;
        parent->eof = 1;
        if (parent->options.flags & INITSYNC_PARENT_NO_KILL)
                finish(parent);
}
