/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "session/child.h"
#include "wire/encode.h"
#include "wire/packet.h"
#include "wire/sender.h"

static int check_options(const struct initsync_child_options *options, struct initsync_error *reterr) {
        const char *expected = NULL;

        if (options->size != sizeof(*options))
                expected = "size: expected sizeof(struct initsync_child_options)";
        else if (options->flags & ~(uint64_t)INITSYNC_CHILD_SECCOMP_FD)
                expected = "flags: expected known bits only";
        else if (options->timeout_ms < INITSYNC_NO_LIMIT)
                expected = "timeout_ms: expected milliseconds, 0 or INITSYNC_NO_LIMIT";
        return expected ? error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL, "options: %s", expected) : 0;
}

PUBLIC int initsync_child_new(struct initsync_child **ret_child, int socket_fd, const struct initsync_child_options *options,
                              struct initsync_error *reterr) {
        static const struct initsync_child_options defaults = INITSYNC_CHILD_OPTIONS_INIT;
        _cleanup_fd_ int socket = fd_above_stdio(socket_fd);
        struct initsync_child *child;
        int r;

        if (!options)
                options = &defaults;
        r = check_options(options, reterr);
        if (r < 0)
                return r;
        if (socket < 0 && socket_fd >= 0 && socket != -EBADF)
                return error_set(reterr, socket, INITSYNC_STAGE_WIRE, "fcntl", NULL, "socket: a number above 2 for it");
        r = packet_check_socket(socket);
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "getsockopt", NULL, "socket: expected AF_UNIX, SOCK_SEQPACKET");
        child = malloc(sizeof(*child));
        if (!child)
                return error_set(reterr, -ENOMEM, INITSYNC_STAGE_WIRE, "malloc", NULL, "conversation");
        memset(child, 0, offsetof(struct initsync_child, channel.packet));
        /* With the parent's end open in here too, nobody would ever see end-of-file. */
        fd_close(options->parent_fd);
        sys_fcntl(socket, F_SETFD, FD_CLOEXEC); /* one that was inherited through exec must not reach the container */
        packet_only_rights(socket);
        child->options = *options;
        child->timeout_ms = options->timeout_ms == 0 ? 10000 : options->timeout_ms;
        child->trace = (struct trace){ options->trace, options->userdata };
        child->channel.socket = fd_take(&socket);
        error_clear(&child->error);
        *ret_child = child;
        return 0;
}

PUBLIC struct initsync_child *initsync_child_free(struct initsync_child *child) {
        int kept = errno;

        if (!child)
                return NULL;
        sender_end(child->sender);
        fd_close(child->channel.socket);
        free(child);
        errno = kept;
        return NULL;
}

int child_check(const struct initsync_child *child, enum message_type type, struct initsync_error *reterr) {
        if (child->result < 0) {
                if (reterr)
                        *reterr = child->error;
                return child->result;
        }
        if (turn_next(child->step, TURN_CHILD, type) >= 0 && !child->prepared)
                return 0;
        error_say(reterr, -EBUSY, INITSYNC_STAGE_PROTOCOL, NULL, NULL, "step %s: %s is out of order",
                  initsync_step_name(child->step), message_name(type));
        if (reterr)
                reterr->step = child->step;
        return -EBUSY;
}

int child_fail(struct initsync_child *child, struct initsync_error *error, struct initsync_error *reterr) {
        error->step = child->step;
        child->result = error->code;
        child->error = *error;
        if (reterr)
                *reterr = *error;
        return error->code;
}

int child_told(struct initsync_child *child, const struct message *message, struct initsync_error *error) {
        size_t n = message->text.length < LIMIT_ERROR_TEXT ? message->text.length : LIMIT_ERROR_TEXT;

        child->told = 1;
        if (n)
                return error_say(error, -EREMOTEIO, INITSYNC_STAGE_PEER, NULL, NULL, "parent: %.*s", (int)n, message->text.data);
        return error_say(error, -EREMOTEIO, INITSYNC_STAGE_PEER, NULL, NULL, "parent: it failed and did not say why");
}

/* The reason for a broken socket may lie in our queue: the parent's procError, behind the answers to what was sent ahead. */
static int read_last_words(struct initsync_child *child, struct initsync_error *error) {
        struct message message;
        int i, r;

        for (i = 0; i < LIMIT_AHEAD + 1; i++) {
                int fd = -1;

                r = channel_receive(&child->channel, 0, &message, &fd, NULL);
                fd_close(fd);
                if (r == 0 && message.type == MESSAGE_ERROR) {
                        child_told(child, &message, error);
                        return 1;
                }
                if (r == -ECONNRESET || r == -ETIMEDOUT)
                        break;
        }
        return 0;
}

/* What became of a packet. */
static int sent(struct initsync_child *child, enum message_type type, int r, struct initsync_error *reterr) {
        struct initsync_error error;

        if (r == 0) {
                child->step = turn_next(child->step, TURN_CHILD, type);
                return 0;
        }
        if (r == -ECONNRESET && read_last_words(child, &error))
                return child_fail(child, &error, reterr);
        if (r == -ECONNRESET)
                error_say(&error, r, INITSYNC_STAGE_PEER, "sendmsg", NULL, "the parent closed the socket, or died");
        else if (r == -ETIMEDOUT)
                error_say(&error, r, INITSYNC_STAGE_PEER, "sendmsg", NULL, "the parent does not read");
        else
                error_set(&error, r, INITSYNC_STAGE_WIRE, "sendmsg", NULL, "sending %s", message_name(type));
        return child_fail(child, &error, reterr);
}

int child_send(struct initsync_child *child, enum message_type type, const char *packet, size_t n,
               struct initsync_error *reterr) {
        trace_packet(&child->trace, child->trace.callback ? clock_now() : 0, 1, packet, n);
        return sent(child, type, channel_send(&child->channel, packet, n, -1, child->timeout_ms), reterr);
}

int child_send_ahead(struct initsync_child *child, enum message_type type, const char *packet, size_t n,
                     struct initsync_error *reterr) {
        uint64_t now = child->trace.callback ? clock_now() : 0;
        int r = packet_send(child->channel.socket, packet, n, -1);

        if (r == -EAGAIN)
                return 1;
        trace_packet(&child->trace, now, 1, packet, n);
        return sent(child, type, r == -EPIPE ? -ECONNRESET : r, reterr);
}

int child_receive(struct initsync_child *child, enum message_type type, int timeout_ms, struct message *ret, int *ret_fd,
                  struct initsync_error *reterr) {
        struct initsync_error error;
        _cleanup_fd_ int fd = -1;
        int r = channel_receive(&child->channel, timeout_ms, ret, &fd, &error);

        if (r < 0)
                return child_fail(child, &error, reterr);
        trace_packet(&child->trace, child->trace.callback ? clock_now() : 0, 0, child->channel.kept, child->channel.n_kept);
        if (ret->type == MESSAGE_ERROR) {
                child_told(child, ret, &error);
                return child_fail(child, &error, reterr);
        }
        if (ret->type != type || (fd >= 0) != (ret_fd != NULL)) {
                error_say(&error, -EPROTO, INITSYNC_STAGE_PROTOCOL, NULL, NULL, "the parent sent %s %s a descriptor: expected %s %s",
                          message_name(ret->type), fd >= 0 ? "with" : "without", message_name(type), ret_fd ? "with one" : "without");
                return child_fail(child, &error, reterr);
        }
        child->step = turn_next(child->step, TURN_PARENT, type);
        if (ret_fd)
                *ret_fd = fd_take(&fd);
        return 0;
}

static int ask(struct initsync_child *child, enum message_type question, enum message_type answer, struct initsync_error *reterr) {
        struct bytes packet = encode_plain(question);
        struct message message;
        int r = child_check(child, question, reterr);

        if (r < 0)
                return r;
        r = child_send(child, question, packet.data, packet.n, reterr);
        if (r < 0)
                return r;
        return child_receive(child, answer, INITSYNC_NO_LIMIT, &message, NULL, reterr);
}

PUBLIC int initsync_child_hooks(struct initsync_child *child, struct initsync_error *reterr) {
        return ask(child, MESSAGE_HOOKS, MESSAGE_HOOKS_DONE, reterr);
}

PUBLIC int initsync_child_ready(struct initsync_child *child, struct initsync_error *reterr) {
        return ask(child, MESSAGE_READY, MESSAGE_RUN, reterr);
}

PUBLIC int initsync_child_fail(struct initsync_child *child, const struct initsync_error *error) {
        char *packet = child->channel.kept;     /* where nothing will be received any more */
        size_t n;
        int r;

        if (child->told || child->channel.socket < 0)
                return 0;
        child->told = 1;
        n = encode_error(error, packet);
        trace_packet(&child->trace, child->trace.callback ? clock_now() : 0, 1, packet, n);
        if (child->prepared) {
                r = child_write(child, packet, n);
        } else {
                r = channel_send(&child->channel, packet, n, -1, child->timeout_ms);
                sys_shutdown(child->channel.socket, SHUT_WR);
        }
        if (child->result == 0) {
                child->error = *error;
                child->result = error->code < 0 ? error->code : -EREMOTEIO;
        }
        return r == -ECONNRESET || r == -EPIPE ? 0 : r;
}
