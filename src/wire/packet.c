/* SPDX-License-Identifier: MIT */
#include <stdalign.h>
#include <string.h>
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "wire/limits.h"
#include "wire/packet.h"

static int socket_option(int socket, int name, int *ret) {
        socklen_t n = sizeof(*ret);

        return sys_getsockopt(socket, SOL_SOCKET, name, ret, &n);
}

int packet_check_socket(int socket) {
        int type, domain, r = socket_option(socket, SO_TYPE, &type);

        if (r < 0)
                return r;
        r = socket_option(socket, SO_DOMAIN, &domain);
        if (r < 0)
                return r;
        return type == SOCK_SEQPACKET && domain == AF_UNIX ? 0 : -EPROTOTYPE;
}

void packet_only_rights(int socket) {
        static const int options[] = { SO_PASSCRED, SO_PASSSEC, SYS_SO_PASSPIDFD, SO_TIMESTAMP };
        int off = 0;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(options); i++)       /* one that a kernel does not have is not set either */
                sys_setsockopt(socket, SOL_SOCKET, options[i], &off, sizeof(off));
}

int packet_send(int socket, const void *data, size_t n, int fd) {
        struct iovec part = { (void *)data, n };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        struct cmsghdr *header;
        ssize_t r;

        if (n == 0)
                return -EINVAL;
        if (fd >= 0) {
                memset(control, 0, sizeof(control));
                message.msg_control = control;
                message.msg_controllen = sizeof(control);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(header), &fd, sizeof(int));
        }
        do
                r = sys_sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (r == -EINTR);
        return r < 0 ? (int)r : 0;
}

/*
 * A peer that closed with packets unread in its own queue: ECONNRESET comes once, and only then what it had sent. Without the
 * second try its last words, often the reason of its death, would be lost.
 */
static ssize_t receive(int socket, int wait, struct msghdr *message) {
        size_t control = message->msg_controllen;
        int reset = 0;
        ssize_t r;

        for (;;) {
                message->msg_controllen = control;
                r = sys_recvmsg(socket, message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
                if (r == -ECONNRESET && !reset)
                        reset = 1;
                else if (r != -EINTR || wait)   /* another wait would begin anew */
                        return r;
        }
}

/* An empty packet and end-of-file both give 0; where that cannot be told apart nobody is accused. */
static int is_closed(int socket) {
        struct pollfd poll = { .fd = socket, .events = POLLRDHUP };
        static const struct timespec now;
        int r;

        do
                r = sys_poll(&poll, 1, &now);
        while (r == -EINTR);
        return r < 0 || (r > 0 && poll.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

int packet_receive(int socket, void *data, size_t size, const char **ret_why) {
        struct iovec part = { data, size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t r = receive(socket, 0, &message);

        if (r < 0)
                return (int)r;
        if (message.msg_flags & MSG_CTRUNC) {
                *ret_why = "a packet with a descriptor";
                return -EPROTO;
        }
        if (message.msg_flags & MSG_TRUNC)
                return -EMSGSIZE;
        if (r == 0 && !is_closed(socket)) {
                *ret_why = "an empty packet";
                return -EPROTO;
        }
        return (int)r;
}

int packet_receive_raw(int socket, void *data, size_t size, int fds[static PACKET_RAW_FDS], const char **ret_why) {
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        struct iovec part = { data, size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                                  .msg_controllen = sizeof(control) };
        struct cmsghdr *header;
        ssize_t r;
        size_t n = 0;

        fds[0] = fds[1] = -1;
        r = receive(socket, 0, &message);
        if (r < 0)
                return (int)r;
        header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
                n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(header), (n < PACKET_RAW_FDS ? n : PACKET_RAW_FDS) * sizeof(int));
        }
        if (message.msg_flags & MSG_CTRUNC && n == 0)
                return -EMFILE;
        if (message.msg_flags & MSG_TRUNC)
                return -EMSGSIZE;
        if (r == 0 && n == 0 && is_closed(socket))
                return 0;
        *ret_why = r == 0 ? "an empty packet" : "a packet without exactly one descriptor";
        return r == 0 || n > 1 || message.msg_flags & MSG_CTRUNC ? -EPROTO : (int)r;
}

/* Keeps the first, closes the rest; returns how many there were. */
static size_t take_fds(struct msghdr *message, int *ret_fd) {
        struct cmsghdr *header;
        size_t n = 0, i;

        for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SYS_SCM_PIDFD) {
                        int fd;         /* asked for by whoever else has the socket; ours to close all the same */

                        memcpy(&fd, CMSG_DATA(header), sizeof(int));
                        fd_close(fd);
                }
                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                        continue;
                /* Counted by cmsg_len: on 64 bit the space for one descriptor has room for two. */
                for (i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
                        if (n++ == 0)
                                *ret_fd = fd;
                        else
                                fd_close(fd);
                }
        }
        return n;
}

int packet_set_timeout(int socket, int timeout_ms) {
        struct timeval timeout = { .tv_sec = 0 };

        if (timeout_ms > 0)
                timeout = (struct timeval){ .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L };
        return sys_setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

int packet_set_blocking(int socket) {
        int flags = sys_fcntl(socket, F_GETFL, 0);

        return flags < 0 ? flags : sys_fcntl(socket, F_SETFL, flags & ~O_NONBLOCK);
}

static int receive_fd(int socket, int wait, void *data, size_t size, int *ret_fd, const char **ret_why) {
        alignas(struct cmsghdr) char control[CMSG_SPACE(LIMIT_FDS * sizeof(int))];
        struct iovec part = { data, size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                                  .msg_controllen = sizeof(control) };
        _cleanup_fd_ int fd = -1;
        ssize_t r = receive(socket, wait, &message);
        size_t n;

        if (r < 0)
                return (int)r;
        n = take_fds(&message, &fd);
        if (message.msg_flags & MSG_CTRUNC)     /* the table is full; what did fit is closed */
                return -EMFILE;
        if (message.msg_flags & MSG_TRUNC)
                return -EMSGSIZE;
        if (n > 1) {
                *ret_why = "a packet with several descriptors";
                return -EPROTO;
        }
        if (r == 0 && (n || !is_closed(socket))) {
                *ret_why = "an empty packet";
                return -EPROTO;
        }
        if (fd >= 0) {
                fd = fd_above_stdio(fd);
                if (fd < 0)
                        return fd;
        }
        *ret_fd = fd_take(&fd);
        return (int)r;
}

int packet_receive_fd(int socket, void *data, size_t size, int *ret_fd, const char **ret_why) {
        return receive_fd(socket, 0, data, size, ret_fd, ret_why);
}

int packet_await_fd(int socket, void *data, size_t size, int *ret_fd, const char **ret_why) {
        return receive_fd(socket, 1, data, size, ret_fd, ret_why);
}
