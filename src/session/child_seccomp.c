/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/syscalls.h"
#include "session/child.h"
#include "wire/encode.h"
#include "wire/packet.h"
#include "wire/sender.h"
#include "wire/sender_task.h"

/*
 * Between the load of a filter and exec nothing may be called that a profile could deny or have an agent decide: no sendmsg,
 * recvmsg, poll, fcntl, futex, and no allocation. What remains is one write(2), and one read(2) into a buffer that is there.
 */

PUBLIC int initsync_child_prepare_seccomp(struct initsync_child *child, struct initsync_error *reterr) {
        struct timeval timeout = { .tv_sec = child->timeout_ms / 1000, .tv_usec = child->timeout_ms % 1000 * 1000L };
        int r = child_check(child, MESSAGE_SECCOMP, reterr);

        if (r < 0)
                return r;
        if (child->timeout_ms < 0)
                timeout = (struct timeval){ 0, 0 };     /* for ever */
        r = packet_set_blocking(child->channel.socket); /* nothing else can wait for room, or for the answer */
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "fcntl", NULL, "clearing O_NONBLOCK of the socket");
        r = sys_setsockopt(child->channel.socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        if (r >= 0)
                r = sys_setsockopt(child->channel.socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "setsockopt", NULL, "deadline of the socket");
        /* Where there can be none, the filter must let our own sendmsg(2) through. */
        if (child->options.flags & INITSYNC_CHILD_SECCOMP_FD && sender_start(&child->sender, child->channel.socket) < 0)
                child->sender = NULL;
        child->trace.callback = NULL;
        child->prepared = 1;
        return 0;
}

/*
 * Whether a call that a signal has interrupted is to be made once more. It waits anew then, so that a timer's signals would make it
 * endless: from the first one on there is a deadline, and with it -ETIMEDOUT in @r. The clock is asked for nobody else: where the
 * vDSO cannot tell the time that is a system call, as is the return of whoever handles a signal.
 */
static int again(const struct initsync_child *child, uint64_t *deadline, ssize_t *r) {
        if (*r != -EINTR)
                return 0;
        if (child->timeout_ms < 0)
                return 1;
        if (!*deadline)
                *deadline = clock_deadline(child->timeout_ms);
        else if (clock_now() >= *deadline)
                *r = -ETIMEDOUT;
        return *r == -EINTR;
}

int child_write(const struct initsync_child *child, const char *packet, size_t n) {
        uint64_t deadline = 0;
        ssize_t r;

        do
                r = sys_write(child->channel.socket, packet, n);
        while (again(child, &deadline, &r));
        return r < 0 ? (int)r : 0;
}

static int broken(struct initsync_child *child, int r, const char *call, struct initsync_error *reterr) {
        struct initsync_error error;

        if (r == -EPIPE || r == -ECONNRESET || r == 0)
                error_say(&error, -ECONNRESET, INITSYNC_STAGE_PEER, call, NULL, "the parent closed the socket, or died");
        else if (r == -EAGAIN || r == -ETIMEDOUT)
                error_say(&error, -ETIMEDOUT, INITSYNC_STAGE_PEER, call, NULL, "the parent did not answer in time");
        else
                error_set(&error, r, INITSYNC_STAGE_WIRE, call, NULL, "procSeccomp");
        return child_fail(child, &error, reterr);
}

static int send_listener(struct initsync_child *child, int fd) {
        uint64_t deadline = 0;
        ssize_t r;

        if (child->sender)
                return sender_give(child->sender, fd);
        do
                r = sender_send(child->channel.socket, fd);
        while (again(child, &deadline, &r));
        return (int)r;
}

static int read_answer(struct initsync_child *child, struct initsync_error *reterr) {
        struct initsync_error error;
        struct message message;
        uint64_t deadline = 0;
        const char *call;
        ssize_t n;
        int r;

        do      /* read(2) does not tell that it cut a packet: the byte more does */
                n = sys_read(child->channel.socket, child->channel.packet, LIMIT_ANSWER + 1);
        while (again(child, &deadline, &n));
        if (n > LIMIT_ANSWER) {
                error_say(&error, -EMSGSIZE, INITSYNC_STAGE_WIRE, "read", NULL, "the parent sent more than %d bytes in a packet",
                          LIMIT_ANSWER);
                return child_fail(child, &error, reterr);
        }
        r = n <= 0 && child->sender ? sender_result(child->sender, &call) : 0;
        if (r < 0)
                return broken(child, r, call, reterr);
        if (n <= 0)
                return broken(child, (int)n, "read", reterr);
        if (message_read(child->channel.packet, (size_t)n, NULL, &message, &error) < 0)
                return child_fail(child, &error, reterr);
        if (message.type == MESSAGE_ERROR) {
                child_told(child, &message, &error);
                return child_fail(child, &error, reterr);
        }
        if (message.type != MESSAGE_SECCOMP_DONE) {
                error_say(&error, -EPROTO, INITSYNC_STAGE_PROTOCOL, NULL, NULL, "the parent sent %s: expected procSeccompDone",
                          message_name(message.type));
                return child_fail(child, &error, reterr);
        }
        child->step = INITSYNC_STEP_EXEC;
        return 0;
}

PUBLIC int initsync_child_seccomp(struct initsync_child *child, int listener_fd, struct initsync_error *reterr) {
        int by_fd = (child->options.flags & INITSYNC_CHILD_SECCOMP_FD) != 0, r;
        size_t n;

        if (child->result < 0 || !child->prepared || child->step != INITSYNC_STEP_RUN) {
                r = child_check(child, child->prepared ? MESSAGE_SECCOMP : MESSAGE_EOF, reterr);
                return r < 0 ? r : error_say(reterr, -EBUSY, INITSYNC_STAGE_PROTOCOL, NULL, NULL,
                                             "initsync_child_prepare_seccomp() comes first");
        }
        if (listener_fd < 0)
                return error_say(reterr, -EBADF, INITSYNC_STAGE_WIRE, NULL, NULL, "listener_fd: expected a descriptor");
        n = encode_seccomp(listener_fd, by_fd, child->seccomp, sizeof(child->seccomp));
        r = child_write(child, child->seccomp, n);
        if (r < 0)
                return broken(child, r, "write", reterr);
        child->step = INITSYNC_STEP_SECCOMP;
        r = by_fd ? send_listener(child, listener_fd) : 0;
        if (r < 0)
                return broken(child, r, child->sender ? "write" : "sendmsg", reterr);
        r = read_answer(child, reterr);
        if (r == 0 && child->sender)
                sender_wait(child->sender);
        return r;
}
