/* SPDX-License-Identifier: MIT */
#include "kernel/fd.h"
#include "kernel/syscalls.h"

int fd_close(int fd) {
        if (fd >= 0)
                sys_close(fd);          /* the descriptor is gone whatever close() answers: never repeated */
        return -1;
}

int fd_dup(int fd) {
        return sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int fd_above_stdio(int fd) {
        int high;

        if (fd < 0 || fd > 2)
                return fd;
        high = fd_dup(fd);
        fd_close(fd);
        return high;
}

void fd_closep(int *fd) {
        *fd = fd_close(*fd);
}

/* The C library's: its structure has other sizes than the kernel's on some architectures. */
int fd_statfs(int fd, struct statfs *ret) {
        int kept = errno, r = fstatfs(fd, ret) < 0 ? -errno : 0;

        errno = kept;
        return r;
}
