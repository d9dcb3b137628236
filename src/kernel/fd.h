/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_FD_H
#define KERNEL_FD_H

/* Owning descriptors. */

#include <sys/vfs.h>
#include "base/attr.h"

/* fd_close() - close, unless it is negative; always -1, so that `fd = fd_close(fd)` leaves nothing behind */
int fd_close(int fd);

/* fd_dup() - a close-on-exec duplicate, at least 3 */
int fd_dup(int fd);

/*
 * fd_above_stdio() - the same open file at a number of at least 3; consumes @fd, also on failure
 *
 * An embedder that closed its stdin would otherwise find our socket where its child expects fd 0.
 */
int fd_above_stdio(int fd);

/* fd_statfs() - fstatfs(2), also of an O_PATH descriptor; 0 or a negative errno */
int fd_statfs(int fd, struct statfs *ret);

/* fd_take() - hand over: the variable owns nothing afterwards */
static inline int fd_take(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

void fd_closep(int *fd);
#define _cleanup_fd_ CLEANUP(fd_closep)

#endif /* KERNEL_FD_H */
