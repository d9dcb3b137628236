/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "kernel/elsewhere.h"
#include "kernel/fd.h"
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

static int is_listener(int fd) {
        _cleanup_fd_ int procfs = procfs_open();
        char path[64], name[64];
        uint64_t id = 0;
        ssize_t n;

        if (procfs < 0)
                return procfs;
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

/* parent->listener is ours now: hand it on if it is a listener; if not it is kept until the child is dead. */
static void check(struct initsync_parent *parent) {
        int r = is_listener(parent->listener);

        if (r < 0)
                fail(parent, r, "readlink", "what its descriptor is cannot be found out", BLAME_NOBODY);
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
        fd = fd_above_stdio(sys_pidfd_getfd(parent->pidfd, (int)number));
        if (fd == -EPERM)
                fail(parent, fd, "pidfd_getfd", "pidfd_getfd needs the right to trace the child (Yama, CAP_SYS_PTRACE); "
                     "the form that sends the descriptor does not", BLAME_NOBODY);
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
        parent->listener = fd;
        check(parent);
}

int parent_receive_listener(struct initsync_parent *parent) {
        char name[LIMIT_PATH + 1];
        const char *why = "no descriptor packet";
        int fd = -1, r = packet_receive_fd(parent->socket, name, sizeof(name), &fd, &why);

        if (r == -EAGAIN)
                return 0;
        parent->expect_listener = 0;
        if (r == PACKET_CLOSED) {
                parent->eof = 1;
                parent_gone(parent);
        } else if (r < 0) {
                fail(parent, r, "recvmsg", r == -EPROTO ? why : "receiving its descriptor", BLAME_CHILD);
        } else if (fd < 0) {
                fail(parent, -EPROTO, "recvmsg", "expected a descriptor in the packet after it", BLAME_CHILD);
        } else {
                parent->listener = fd;
                check(parent);
        }
        return 1;
}

void parent_close_listener(struct initsync_parent *parent) {
        close_elsewhere(fd_take(&parent->listener));
}
