/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/elsewhere.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"
#include "session/parent.h"
#include "wire/packet.h"

/*
 * A descriptor from the child may be anything. One of a FUSE file whose server never answers would hang us in any call on it,
 * close(2) included, so that its name in /proc, for which nobody is asked, is looked at before anything else.
 */

#define LISTENER_NAME "anon_inode:seccomp notify"
#define SECCOMP_ID_VALID 0x40082102UL   /* _IOW('!', 2, uint64_t) */

static int is_listener(int fd, const char **ret_call) {
        _cleanup_fd_ int procfs = procfs_open();
        char path[64], name[64];
        uint64_t id = 0;
        ssize_t n;

        *ret_call = "openat";
        if (procfs < 0)
                return procfs;
        *ret_call = "readlinkat";
        snprintf(path, sizeof(path), "thread-self/fd/%d", fd);
        n = sys_readlinkat(procfs, path, name, sizeof(name) - 1);
        if (n < 0)
                return (int)n;
        name[n] = '\0';
        return strcmp(name, LISTENER_NAME) == 0 && sys_ioctl(fd, SECCOMP_ID_VALID, &id) == -ENOENT;
}

static void fail(struct initsync_parent *parent, int r, const char *call, const char *text, enum parent_blame blame) {
        struct initsync_error error;

        error_set(&error, r, INITSYNC_STAGE_PROTOCOL, call, NULL, "procSeccomp: %s", text);
        parent_fail(parent, &error, blame);
}

/*
 * parent->given[0] is ours now: hand it on if it is a listener; if not it is kept until the child is dead. Until that is known its
 * number stays what it is, below 3 too: moving it would be a close.
 */
static void check(struct initsync_parent *parent) {
        const char *call;
        int r = is_listener(parent->given[0], &call);

        if (r > 0) {
                call = "fcntl";
                r = fd_above_stdio(fd_take(&parent->given[0]));
                parent->given[0] = r < 0 ? -1 : r;
                r = r < 0 ? r : 1;
        }

        if (r < 0)
                fail(parent, r, call, "what its descriptor is cannot be found out", BLAME_NOBODY);
        else if (r == 0)
                fail(parent, -EPROTO, NULL, "expected a seccomp listener as its descriptor", BLAME_CHILD);
        else
                parent_ask(parent, WAITING_SECCOMP);
}

static int get(struct initsync_parent *parent, int64_t number) {
        int fd;

        if (number < 0 || number > LIMIT_FD_NUMBER) {
                fail(parent, -EPROTO, NULL, "arg: expected the number of a descriptor", BLAME_CHILD);
                return -EPROTO;
        }
        fd = sys_pidfd_getfd(parent->pidfd, (int)number);
        if (fd == -ESRCH || (fd == -EBADF && process_dead(parent->pidfd)))
                parent_peer_gone(parent);       /* it died: how, is told better by its pidfd and its last words */
        else if (fd == -EPERM)
                fail(parent, fd, "pidfd_getfd", "pidfd_getfd needs the right to trace the child (Yama, CAP_SYS_PTRACE); "
                     "the form that sends the descriptor does not", BLAME_NOBODY);
        else if (fd == -ENOSYS)
                fail(parent, fd, "pidfd_getfd", "pidfd_getfd is missing, or hidden by a filter around us; the form that sends the "
                     "descriptor does not need it", BLAME_NOBODY);
        else if (fd < 0)
                fail(parent, fd, "pidfd_getfd", "pidfd_getfd", fd == -EBADF ? BLAME_CHILD : BLAME_NOBODY);
        return fd;
}

void parent_listener(struct initsync_parent *parent, int64_t number, int has_fd) {
        int by_fd = (parent->options.flags & INITSYNC_PARENT_SECCOMP_FD) != 0, fd;

        if (!parent->options.seccomp) {
                fail(parent, -EOPNOTSUPP, NULL, "no listener is configured", BLAME_NOBODY);
                return;
        }
        if (has_fd != by_fd) {
                fail(parent, -EPROTO, NULL, "flags: expected a descriptor packet after it", BLAME_CHILD);
                return;
        }
        if (by_fd) {
                parent->expect_listener = 1;
                return;
        }
        fd = get(parent, number);
        if (fd < 0)
                return;
        parent->given[0] = fd;
        check(parent);
}

/* A child that could not send it says why. */
static void none_came(struct initsync_parent *parent, char *packet, size_t n) {
        struct message message;

        trace_packet(&parent->trace, parent->trace.callback ? clock_now() : 0, 0, packet, n);
        if (message_read(packet, n, NULL, &message, NULL) == 0 && message.type == MESSAGE_ERROR)
                parent_told(parent, &message);
        else
                fail(parent, -EPROTO, "recvmsg", "a packet without exactly one descriptor", BLAME_CHILD);
}

int parent_receive_listener(struct initsync_parent *parent) {
        char packet[LIMIT_ANSWER + 1];
        const char *why = "no descriptor packet";
        int r = packet_receive_raw(parent->socket, packet, LIMIT_ANSWER, parent->given, &why);

        if (r == -EAGAIN)
                return 0;
        if (r > LIMIT_PATH && parent->given[0] >= 0)
                r = -EMSGSIZE;          /* longer than any name */
        parent->expect_listener = 0;
        if (r == PACKET_CLOSED) {
                parent->eof = 1;
                parent_gone(parent);
        } else if (r < 0) {
                /* What is wrong with us, whose table is full, say, is no fault of its. */
                fail(parent, r, "recvmsg", r == -EPROTO ? why : "receiving its descriptor",
                     r == -EPROTO || r == -EMSGSIZE ? BLAME_CHILD : BLAME_NOBODY);
        } else if (parent->given[0] < 0) {
                none_came(parent, packet, (size_t)r);
        } else {
                check(parent);
        }
        return 1;
}

void parent_close_given(struct initsync_parent *parent) {
        size_t i;

        for (i = 0; i < PACKET_RAW_FDS; i++)
                close_elsewhere(fd_take(&parent->given[i]));
}
