/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "mount/request.h"
#include "session/parent.h"
#include "wire/encode.h"
#include "wire/packet.h"

#define BURST 32                /* packets read before other sessions of the same loop get their turn */

/* A message that breaks the protocol: hostility alone explains it. */
static void broken(struct initsync_parent *parent, const struct initsync_error *why) {
        parent_fail(parent, why, BLAME_CHILD);
}

static void out_of_order(struct initsync_parent *parent, const struct message *message, const char *expected) {
        struct initsync_error error;

        error_say(&error, -EPROTO, INITSYNC_STAGE_PROTOCOL, NULL, NULL, "%s out of order: expected %s",
                  message_name(message->type), expected);
        broken(parent, &error);
}

/* The step that @message leads to, or a negative errno and the conversation has failed. */
static int next_step(struct initsync_parent *parent, const struct message *message) {
        char expected[160];
        int next = turn_next(parent->step, TURN_CHILD, message->type);

        if (message->type == MESSAGE_ERROR)
                return next;
        if (next < 0 || parent->unsent >= 0) {
                turn_expected(parent->step, TURN_CHILD, expected, sizeof(expected));
                out_of_order(parent, message, parent->unsent >= 0 ? "silence until its answer is read" : expected);
                return -EPROTO;
        }
        if (message->type != MESSAGE_MOUNT_PLEASE && parent->broker.server && broker_pending(&parent->broker)) {
                out_of_order(parent, message, "silence until all mount requests are answered");
                return -EPROTO;
        }
        if (message->type == MESSAGE_READY && parent->step == INITSYNC_STEP_MOUNTS &&
            parent->options.flags & INITSYNC_PARENT_EXPECT_HOOKS) {
                out_of_order(parent, message, "procHooks before it");
                return -EPROTO;
        }
        return next;
}

static void ask_for_mount(struct initsync_parent *parent, struct message_mount *asked) {
        parent->asked = (struct initsync_mount){
                .size = sizeof(parent->asked),
                .flags = (asked->flags & MESSAGE_MS_REC ? INITSYNC_MOUNT_RECURSIVE : 0) |
                         (asked->idmap_recursive ? INITSYNC_MOUNT_IDMAP_RECURSIVE : 0),
                .source = asked->source,
                .destination = asked->destination,
                .uids = asked->uids,
                .gids = asked->gids,
                .n_uids = asked->n_uids,
                .n_gids = asked->n_gids,
                .userns_fd = -1,
                .source_fd = -1,
                .userns_path = asked->userns_path[0] ? asked->userns_path : NULL,
        };
        if (parent->options.flags & INITSYNC_PARENT_ALLOW_ANY_MOUNT) {
                parent->serve = parent->asked;
                parent_order_other(parent, &parent->serve, asked->source);
        } else {
                parent_ask_allow(parent);
        }
}

static int bad_request(struct initsync_parent *parent, const struct message_mount *asked, struct initsync_error *reterr) {
        if (!(asked->flags & MESSAGE_MS_BIND))
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_PROTOCOL, NULL, asked->source,
                                 "procMountPlease: arg.flags: expected MS_BIND, only binds are served");
        if (parent->requests == LIMIT_MOUNTS)
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_PROTOCOL, NULL, asked->source,
                                 "procMountPlease: expected at most 1024 requests");
        return 0;
}

static void serve_mount(struct initsync_parent *parent, struct message_mount *asked) {
        struct initsync_error error;
        int index;

        if (bad_request(parent, asked, &error) < 0) {
                broken(parent, &error);
                return;
        }
        parent->requests++;
        index = policy_take(&parent->policy, asked, &error);
        if (index >= 0) {
                parent_order_entry(parent, &parent->policy.entries[index]);
        } else if (index == -EACCES && (parent->options.allow || parent->options.flags & INITSYNC_PARENT_ALLOW_ANY_MOUNT)) {
                ask_for_mount(parent, asked);
        } else {
                error.request = parent->requests - 1;
                error_prefix(&error, "mount %s%s%s", asked->source, asked->destination[0] ? " on " : "", asked->destination);
                parent_fail(parent, &error, index == -EPROTO ? BLAME_CHILD : BLAME_NOBODY);
        }
}

void parent_told(struct initsync_parent *parent, const struct message *message) {
        struct initsync_error error;
        size_t n = message->text.length < LIMIT_ERROR_TEXT ? message->text.length : LIMIT_ERROR_TEXT;

        if (n)
                error_say(&error, -EREMOTEIO, INITSYNC_STAGE_PEER, NULL, NULL, "child: %.*s", (int)n, message->text.data);
        else
                error_say(&error, -EREMOTEIO, INITSYNC_STAGE_PEER, NULL, NULL, "child: it failed and did not say why");
        parent_fail(parent, &error, BLAME_TOLD);
}

/*
 * The child is dead while its queue could not be read (a callback still holds what was read last, or all slots are taken): what it
 * asked for does not matter any more, why it died does.
 */
void parent_last_words(struct initsync_parent *parent) {
        char packet[LIMIT_ANSWER + 1];
        struct message message;
        const char *why;
        int i, r;

        for (i = 0; i < LIMIT_MOUNTS && parent->phase == PARENT_TALKING; i++) {
                r = packet_receive(parent->socket, packet, LIMIT_ANSWER, &why);
                if (r <= 0 && r != -EMSGSIZE && r != -EPROTO)
                        break;
                if (r > 0 && message_read(packet, (size_t)r, NULL, &message, NULL) == 0 && message.type == MESSAGE_ERROR)
                        parent_told(parent, &message);
        }
}

/* No more mounts can be asked for, so that whatever served them can go. */
static void end_mounts(struct initsync_parent *parent) {
        deadline_clear(&parent->deadlines, DEADLINE_REQUEST);
        parent_collect(parent);
        parent_unwatch_mount_task(parent);
}

static void serve(struct initsync_parent *parent, const struct message *message) {
        switch (message->type) {
        case MESSAGE_MOUNT_PLEASE:
                serve_mount(parent, &parent->mount);
                break;
        case MESSAGE_HOOKS:
                end_mounts(parent);
                parent_ask(parent, WAITING_HOOKS);
                break;
        case MESSAGE_READY:
                end_mounts(parent);
                parent_ask(parent, WAITING_READY);
                break;
        case MESSAGE_SECCOMP:
                parent_listener(parent, message->number, message->has_fd);
                break;
        case MESSAGE_ERROR:
                parent_told(parent, message);
                break;
        default:
                break;                  /* the turn table has no other from a child */
        }
}

static void handle(struct initsync_parent *parent, size_t n) {
        struct initsync_error error;
        struct message message;
        int next;

        trace_packet(&parent->trace, parent->trace.callback ? clock_now() : 0, 0, parent->packet, n);
        deadline_clear(&parent->deadlines, DEADLINE_FIRST);
        if (message_read(parent->packet, n, &parent->mount, &message, &error) < 0) {
                broken(parent, &error);
                return;
        }
        if (parent->peer_gone && message.type != MESSAGE_ERROR)
                return;                 /* nothing can be answered any more: only its last words count */
        next = next_step(parent, &message);
        if (next < 0)
                return;
        if (message.has_fd && !(message.type == MESSAGE_SECCOMP && parent->options.flags & INITSYNC_PARENT_SECCOMP_FD)) {
                out_of_order(parent, &message, "no descriptor with it (flags 0; INITSYNC_PARENT_SECCOMP_FD is not set)");
                return;
        }
        if (next != parent->step) {
                /* An answer is due: from here on it is the parent's time that runs. */
                deadline_clear(&parent->deadlines, DEADLINE_WORK);
                deadline_resume(&parent->deadlines, clock_now());
                if (next != INITSYNC_STEP_FAILED)
                        parent->step = next;
        }
        serve(parent, &message);
}

/*
 * Room for one more order. Where there is none the mount task must tell when there is: what it finished before it saw that it
 * should is collected once more.
 */
static int room(struct initsync_parent *parent) {
        int every = parent->trace.callback != NULL;

        parent_collect(parent);
        if (parent->phase != PARENT_TALKING || broker_room(&parent->broker)) {
                broker_wake(&parent->broker, every);
                return 1;
        }
        broker_wake(&parent->broker, 1);
        parent_collect(parent);
        return parent->phase != PARENT_TALKING || broker_room(&parent->broker);
}

int parent_can_read(struct initsync_parent *parent) {
        if (parent->phase != PARENT_TALKING)
                return 1;
        if (parent->waiting == WAITING_ALLOW)
                return 0;               /* its strings lie in the receive buffer */
        return !parent->broker.server || room(parent);
}

static void receive_failed(struct initsync_parent *parent, int r, const char *why) {
        struct initsync_error error;

        if (r == -EMSGSIZE)
                error_say(&error, r, INITSYNC_STAGE_WIRE, "recvmsg", NULL, "the child sent more than %d bytes in a packet",
                          LIMIT_REQUEST);
        else if (r == -EPROTO)
                error_say(&error, r, INITSYNC_STAGE_WIRE, "recvmsg", NULL, "the child sent %s", why);
        else
                error_set(&error, r, INITSYNC_STAGE_WIRE, "recvmsg", NULL, "receiving from the child");
        parent_fail(parent, &error, r == -EMSGSIZE || r == -EPROTO ? BLAME_CHILD : BLAME_NOBODY);
}

static int receive_one(struct initsync_parent *parent) {
        const char *why = NULL;
        int r;

        parent_collect(parent);
        if (parent->phase != PARENT_TALKING)
                return 0;
        if (parent->expect_listener)
                return parent_receive_listener(parent);
        r = packet_receive(parent->socket, parent->packet, LIMIT_REQUEST, &why);
        if (r == -EAGAIN)
                return 0;
        if (r == PACKET_CLOSED) {
                parent->eof = 1;
                parent_gone(parent);
        } else if (r < 0) {
                receive_failed(parent, r, why);
        } else {
                if ((size_t)r > parent->touched)
                        parent->touched = (size_t)r;
                parent_collect(parent); /* what this message answers to comes before it in the trace */
                if (parent->phase == PARENT_TALKING)
                        handle(parent, (size_t)r);
        }
        return 1;
}

int parent_receive(struct initsync_parent *parent) {
        int i, ahead = 1;

        for (i = 0; i < BURST && ahead; i++) {
                /* One that asks for one mount after the other has not sent the next yet: to look for it would be in vain. */
                ahead = parent->broker.server && broker_pending(&parent->broker);
                if (parent->phase != PARENT_TALKING || parent->eof || !parent_can_read(parent) || !receive_one(parent))
                        return 0;
                if (parent->step != INITSYNC_STEP_MOUNTS)
                        break;          /* nothing can have been sent ahead */
        }
        return 1;
}

static void mount_failed(struct initsync_parent *parent, const struct server_slot *slot) {
        struct initsync_error error;
        int dead = slot->result.error == -EPIPE || slot->result.error == -ECONNRESET;

        if (slot->result.call == SOURCE_SENDMSG && dead) {
                parent_peer_gone(parent);
                return;
        }
        if (slot->result.call == SOURCE_SETNS && slot->result.error == -ESRCH) {
                parent_peer_gone(parent);       /* it died: how, is told better by its pidfd and its last words */
                return;
        }
        request_error(&slot->result, &slot->request, slot->name, &error);
        error.request = (int)parent->broker.collected - 1;
        error.mount = parent->grants[slot - parent->broker.server->slots].index;
        error_prefix(&error, "mount request %d", error.request);
        parent_fail(parent, &error, BLAME_NOBODY);
}

void parent_collect(struct initsync_parent *parent) {
        const struct server_slot *slot;
        struct bytes answer = encode_plain(MESSAGE_MOUNT_FD);
        uint64_t answered = 0;
        int any = 0;

        if (!parent->broker.server)
                return;
        while (parent->phase == PARENT_TALKING && (slot = broker_collect(&parent->broker))) {
                any = 1;
                answered = slot->time_ns;
                if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == SERVER_FAILED)
                        mount_failed(parent, slot);
                else
                        trace_packet(&parent->trace, slot->time_ns, 1, answer.data, answer.n);
        }
        if (!any || parent->phase != PARENT_TALKING)
                return;
        /* From the last answer on; one that is under way to a child that does not read counts, too. */
        if (broker_busy(&parent->broker, &(unsigned){ 0 }))
                deadline_set(&parent->deadlines, DEADLINE_REQUEST, parent->options.timeout_ms, answered);
        else
                deadline_clear(&parent->deadlines, DEADLINE_REQUEST);
}

void parent_mount_task(struct initsync_parent *parent) {
        struct initsync_error error;
        const struct server_slot *slot;
        const char *call;
        int gone = broker_drain(&parent->broker), r;

        if (parent->phase != PARENT_TALKING)
                return;
        parent_collect(parent);
        if (parent->phase != PARENT_TALKING || gone == 0)
                return;
        slot = broker_failed(&parent->broker);  /* between the two packets of an answer that was taken for sent */
        if (slot) {
                mount_failed(parent, slot);
                parent_unwatch_mount_task(parent);
                return;
        }
        r = broker_ended(&parent->broker, &call);
        if (gone != -ESRCH)
                error_set(&error, gone, INITSYNC_STAGE_MOUNT, "recvmsg", NULL, "hearing of the mount task");
        else if (r < 0)
                error_set(&error, r, INITSYNC_STAGE_MOUNT, call, NULL, "the mount task ended: %s", call);
        else
                error_say(&error, -ESRCH, INITSYNC_STAGE_MOUNT, NULL, NULL, "the mount task was killed from outside");
        parent_fail(parent, &error, BLAME_NOBODY);
}
