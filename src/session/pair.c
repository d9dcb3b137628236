/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include "kernel/fd.h"
#include "kernel/syscalls.h"

PUBLIC int initsync_pair(int *ret_parent_fd, int *ret_child_fd) {
        _cleanup_fd_ int parent = -1, child = -1;
        int pair[2], r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);

        if (r < 0)
                return r;
        parent = fd_above_stdio(pair[0]);
        child = fd_above_stdio(pair[1]);
        if (parent < 0 || child < 0)
                return parent < 0 ? parent : child;
        *ret_parent_fd = fd_take(&parent);
        *ret_child_fd = fd_take(&child);
        return 0;
}
