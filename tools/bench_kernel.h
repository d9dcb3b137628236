/* SPDX-License-Identifier: MIT */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

/* What only the bench needs of the kernel, beside demo_kernel.h: the bare calls of its floors. */

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "demo_kernel.h"

#ifndef PIDFD_GET_USER_NAMESPACE
#define PIDFD_GET_USER_NAMESPACE _IO(0xFF, 9)   /* since 6.11 */
#endif

#define KERNEL_RESOLVE_NO_MAGICLINKS 0x02

static inline int kernel_wait_pidfd(int pidfd) {
        siginfo_t info;

        return kernel_result(waitid(KERNEL_P_PIDFD, (id_t)pidfd, &info, WEXITED | KERNEL_WALL));
}

/* A detached mount of @path with the ids of @userns_fd, or with those it has where that is -1: the bare calls. */
static inline int kernel_open_mapped(const char *path, int userns_fd) {
        struct mount_attributes attr = { KERNEL_MOUNT_ATTR_IDMAP, 0, 0, (uint64_t)userns_fd };
        int fd = kernel_openat2(AT_FDCWD, path, O_PATH, KERNEL_RESOLVE_NO_MAGICLINKS), tree;

        if (fd < 0)
                return fd;
        tree = userns_fd >= 0 ? kernel_open_tree_attr(fd, &attr) : kernel_clone_tree(fd, 0);
        close(fd);
        return tree;
}

#endif /* BENCH_KERNEL_H */
