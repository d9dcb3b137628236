/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "fault-errors.h"

#include "support/fault.h"

static const struct {
        const char *call;
        int errors[14];
} plausible[] = {
        { "close", { EINTR, EIO } },
        { "munmap", { ENOMEM } },
        { "waitid", { EINTR, ECHILD } },
        { "read", { EINTR, EIO, FAULT_SHORT, EAGAIN } },
        { "pread", { EIO, FAULT_SHORT, EINTR } },
        { "write", { EINTR, EPERM, EINVAL, EIO, FAULT_SHORT, EPIPE, EAGAIN } },
        { "sendmsg", { EINTR, EAGAIN, EPIPE, ECONNRESET, ETOOMANYREFS, ENOBUFS, ENOMEM, FAULT_SHORT } },
        { "recvmsg", { EINTR, EAGAIN, ECONNRESET, ENOMEM, ENOBUFS, FAULT_SHORT } },
        { "sendmmsg", { EINTR, EAGAIN, EPIPE, ECONNRESET, ETOOMANYREFS, ENOMEM, FAULT_SHORT } },
        { "readlinkat", { EACCES, ENOENT, FAULT_SHORT } },
        { "fcntl", { EMFILE } },
        { "ioctl", { ENOTTY, EPERM, ESRCH, EMFILE, EINVAL } },
        { "openat", { EMFILE, ENFILE, ENOENT, EACCES, ENOMEM } },
        { "openat2", { EMFILE, ENOENT, EACCES, EAGAIN, EINTR, ENOSYS, EPERM, ELOOP, EXDEV, ENAMETOOLONG, ENFILE, ENOMEM, ESRCH } },
        { "fchdir", { EACCES } },
        { "getcwd", { ENOENT } },
        { "ppoll", { EINTR, ENOMEM } },
        { "setsockopt", { ENOPROTOOPT, EINVAL, EPERM } },
        { "getsockopt", { ENOTSOCK, EBADF } },
        { "shutdown", { ENOTCONN } },
        { "socketpair", { EMFILE, ENFILE, ENOMEM } },
        { "prctl", { EINVAL, EPERM } },
        { "setns", { EPERM, ESRCH, EINVAL, ENOMEM } },
        { "statx", { ENOMEM, EACCES } },
        { "open_tree", { EMFILE, EPERM, EINVAL, ENOMEM, ENOSYS } },
        { "open_tree_attr", { ENOSYS, EPERM, EINVAL, ENOMEM, EMFILE } },
        { "mount_setattr", { EINVAL, EPERM, ENOSYS, EBUSY, ENOMEM, EBADF } },
        { "move_mount", { EINVAL, ENOENT, EBUSY, ELOOP, EPERM, ENOSPC, ENOSYS } },
        { "statmount", { ENOSYS, EPERM, ENOMEM } },
        { "listmount", { ENOSYS, EPERM, ENOMEM } },
        { "pidfd_open", { EMFILE, ESRCH, ENOSYS, EPERM } },
        { "pidfd_send_signal", { EPERM, ESRCH, ENOSYS } },
        { "pidfd_getfd", { EPERM, EBADF, ESRCH, EMFILE, ENOSYS } },
        { "close_range", { ENOSYS, EPERM } },
        { "getdents64", { ENOMEM } },
        { "fsopen", { EMFILE, EPERM, ENODEV, ENOSYS } },
        { "fsconfig", { EPERM, ENOMEM, EIO } },
        { "fsmount", { EMFILE, EPERM, ENOMEM } },
        { "mkdirat", { ENOSPC, EACCES } },
        { "mount", { EINVAL, EPERM, ENOMEM } },
        { "capget", { EPERM } },
        { "capset", { EPERM } },
        { "memfd_create", { EMFILE, EINVAL, EACCES, ENOMEM, ENOSYS } },
        { "sendfile", { EINVAL, ENOSPC, EIO } },
        { "mmap", { ENOMEM } },
        { "mprotect", { ENOMEM } },
        { "madvise", { EINVAL } },
        { "fstatfs", { EIO, ENOSYS } },
        { "epoll_create1", { EMFILE, ENFILE, ENOMEM } },
        { "epoll_ctl", { ENOMEM, ENOSPC, ENOENT } },
        { "epoll_wait", { EINTR, EBADF } },
        { "timerfd_create", { EMFILE, ENOMEM } },
        { "timerfd_settime", { EINVAL } },
        { "clone", { EAGAIN, ENOMEM, ENOSPC, EPERM, EUSERS, ENOSYS } },
};

const int *fault_errors(int site) {
        size_t i;

        for (i = 0; i < sizeof(plausible) / sizeof(plausible[0]); i++)
                if (strcmp(plausible[i].call, __start_fault_sites[site].call) == 0)
                        return plausible[i].errors;
        printf("# no error is known of %s\n", fault_name(site));
        abort();
}
