/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "wire/channel.h"
#include "wire/packet.h"

/* Waits for @events until @deadline (0: for ever); interrupted waits do not start anew. */
static int wait_until(int socket, short events, uint64_t deadline) {
        struct pollfd poll = { .fd = socket, .events = events };

        for (;;) {
                struct timespec left, *timeout = NULL;
                int r;

                if (deadline) {
                        clock_left(deadline, &left);
                        timeout = &left;
                }
                r = sys_poll(&poll, 1, timeout);
                if (r > 0)
                        return 0;
                if (r == 0)
                        return -ETIMEDOUT;
                if (r != -EINTR)
                        return r;
        }
}

int channel_send(struct channel *channel, const char *data, size_t n, int fd, int timeout_ms) {
        uint64_t deadline = clock_deadline(timeout_ms);
        int r;

        for (;;) {
                r = packet_send(channel->socket, data, n, fd);
                if (r != -EAGAIN)
                        return r == -EPIPE ? -ECONNRESET : r;
                r = wait_until(channel->socket, POLLOUT, deadline);
                if (r < 0)
                        return r;
        }
}

/*
 * Whether recvmsg(2) itself may wait, which is one call instead of three. The time is set when it is another than last time; where
 * that is not possible poll(2) waits.
 */
static int can_wait(struct channel *channel, int timeout_ms) {
        if (timeout_ms == 0)
                return 0;
        if (!channel->waits || channel->timeout_ms != timeout_ms) {
                channel->waits = packet_set_timeout(channel->socket, timeout_ms) == 0;
                channel->timeout_ms = timeout_ms;
        }
        return channel->waits;
}

/* One packet, waiting for it, at first in recvmsg(2) if @wait; an EAGAIN after poll(2) said otherwise is a wait more. */
static int receive(struct channel *channel, int wait, uint64_t deadline, char *to, size_t size, int *ret_fd,
                   struct initsync_error *reterr) {
        const char *why = NULL;
        int r;

        for (;; wait = 0) {
                r = (wait ? packet_await_fd : packet_receive_fd)(channel->socket, to, size, ret_fd, &why);
                if (r == -EINTR)
                        continue;
                if (r != -EAGAIN)
                        break;
                r = wait_until(channel->socket, POLLIN, deadline);
                if (r < 0 && r != -ETIMEDOUT)
                        return error_set(reterr, r, INITSYNC_STAGE_WIRE, "ppoll", NULL, "ppoll");
                if (r < 0)
                        break;
        }
        if (r == PACKET_CLOSED)
                return error_say(reterr, -ECONNRESET, INITSYNC_STAGE_PEER, NULL, NULL, "the parent closed the socket, or died");
        if (r == -EPROTO)
                return error_say(reterr, r, INITSYNC_STAGE_WIRE, "recvmsg", NULL, "the parent sent %s", why);
        if (r == -ETIMEDOUT)
                return error_say(reterr, r, INITSYNC_STAGE_PEER, NULL, NULL, "the parent did not answer in time");
        if (r == -EMFILE)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "recvmsg", NULL,
                                 "a descriptor did not fit in this process's table (RLIMIT_NOFILE)");
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "recvmsg", NULL, "recvmsg");
        return r;
}

/* procError takes the place of a descriptor packet when the parent failed in between. */
static int is_error_instead(struct channel *channel, int n, struct message *ret) {
        struct message message;

        memcpy(channel->packet, channel->name, (size_t)n);
        memcpy(channel->kept, channel->name, (size_t)n);
        if (message_read(channel->packet, (size_t)n, NULL, &message, NULL) < 0 || message.type != MESSAGE_ERROR)
                return 0;
        channel->n_kept = (size_t)n;
        *ret = message;
        return 1;
}

static int receive_descriptor(struct channel *channel, uint64_t deadline, struct message *ret, int *ret_fd,
                              struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        int n = receive(channel, 0, deadline, channel->name, sizeof(channel->name) - 1, &fd, reterr);

        if (n < 0)
                return n;
        channel->name[n] = '\0';
        channel->n_name = (size_t)n;
        if (fd < 0) {
                if (is_error_instead(channel, n, ret))
                        return 0;
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_WIRE, "recvmsg", NULL,
                                 "procMountFd: its second packet has no descriptor, exactly one is expected");
        }
        *ret_fd = fd_take(&fd);
        return 0;
}

int channel_receive(struct channel *channel, int timeout_ms, struct message *ret, int *ret_fd,
                    struct initsync_error *reterr) {
        uint64_t deadline = clock_deadline(timeout_ms);
        _cleanup_fd_ int fd = -1;
        struct message message;
        int r = receive(channel, can_wait(channel, timeout_ms), deadline, channel->packet, LIMIT_ANSWER, &fd, reterr);

        if (r < 0)
                return r;
        if (fd >= 0)
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_WIRE, "recvmsg", NULL,
                                 "a message with a descriptor in its own packet");
        memcpy(channel->kept, channel->packet, (size_t)r);
        channel->n_kept = (size_t)r;
        r = message_read(channel->packet, (size_t)r, NULL, &message, reterr);
        if (r < 0)
                return r;
        if (message.has_fd) {
                r = receive_descriptor(channel, deadline, &message, &fd, reterr);
                if (r < 0)
                        return r;
        }
        *ret = message;
        *ret_fd = fd_take(&fd);
        return 0;
}
