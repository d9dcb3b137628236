/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "cleanup.h"
#include "kernel.h"
#include "namespaces.h"
#include "say.h"

#ifndef PIDFD_GET_MNT_NAMESPACE
#define PIDFD_GET_MNT_NAMESPACE _IO(0xFF, 3)    /* Linux 6.11 */
#endif
#ifndef NS_GET_USERNS
#define NS_GET_USERNS _IO(0xb7, 1)
#endif
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU      /* its inode number, the kernel's PROC_USER_INIT_INO */

static bool same(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* As the procfs at /proc counts, which need not be how getppid() does. 0: it is in no namespace that this procfs knows. */
static int parent_pid(void) {
        _cleanup_fd_ int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        char text[4096];
        const char *line;
        ssize_t n;
        int pid;

        if (fd < 0)
                return -errno;
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        line = strstr(text, "\nPPid:");
        return line && sscanf(line, "\nPPid: %d", &pid) == 1 ? pid : -EPROTO;
}

/*
 * The namespace of the process that made the socket pair, Linux 6.11: the runtime itself, where our parent process may be no
 * more than a launcher that came along into the new namespaces. It may be outside of our PID namespace.
 */
static int of_peer(int socket_fd, struct stat *ret) {
        _cleanup_fd_ int pidfd = -1, namespace = -1;
        socklen_t size = sizeof(pidfd);

        if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
                return -errno;
        namespace = ioctl(pidfd, PIDFD_GET_MNT_NAMESPACE, 0);
        return namespace < 0 || fstat(namespace, ret) < 0 ? -errno : 0;
}

static int of_number(int pid, struct stat *ret) {
        char path[64];

        if (pid <= 0)
                return pid < 0 ? pid : -ESRCH;
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
        return stat(path, ret) < 0 ? -errno : 0;
}

/* The same on an older kernel, where our PID namespace shows it. */
static int of_peer_number(int socket_fd, struct stat *ret) {
        struct ucred peer;
        socklen_t size = sizeof(peer);

        return getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ? -errno : of_number(peer.pid, ret);
}

/*
 * A parent that we may not look at, from inside a user namespace: it is not in there with us. The mount namespace is ours if
 * the user namespace owns it.
 */
static bool owned_by_user_namespace(void) {
        _cleanup_fd_ int mounts = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC), owner = -1;
        struct stat a, b;

        if (mounts < 0 || stat("/proc/thread-self/ns/user", &a) < 0 || a.st_ino == INITIAL_USER_NAMESPACE)
                return false;
        owner = ioctl(mounts, NS_GET_USERNS);
        return owner >= 0 && fstat(owner, &b) == 0 && same(&a, &b);
}

int namespaces_own_mounts(int socket_fd, struct initsync_error *reterr) {
        struct stat own, other = { .st_ino = 0 };
        int r;

        if (stat("/proc/thread-self/ns/mnt", &own) < 0)
                return fault_call(reterr, -errno, "stat", "/proc/thread-self/ns/mnt");
        r = of_peer(socket_fd, &other);
        if (r < 0)
                r = of_peer_number(socket_fd, &other);
        if ((r == -EACCES || r == -EPERM) && owned_by_user_namespace())
                return 0;
        if (r < 0)
                r = of_number(parent_pid(), &other);
        if (r == 0 && same(&own, &other))
                return fault(reterr, -EINVAL, "the mount namespace is that of the parent: start in one of its own");
        if (r == 0 || ((r == -EACCES || r == -EPERM) && owned_by_user_namespace()))
                return 0;
        return fault(reterr, r, "cannot tell whether the mount namespace is that of the parent: %s",
                     r == -ESRCH ? "/proc does not show it" : strerror(-r));
}
