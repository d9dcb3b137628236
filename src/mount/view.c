/* SPDX-License-Identifier: MIT */
#include "kernel/syscalls.h"
#include "mount/view.h"

/* As when the source itself is resolved: a child that renames all the time must not keep us busy for ever. */
#define RETRIES 128

RAW static int identify(int fd, struct sys_statx *ret) {
        return sys_statx(fd, "", SYS_AT_EMPTY_PATH | SYS_AT_STATX_DONT_SYNC, SYS_STATX_TYPE | SYS_STATX_INO, ret);
}

/* What says nothing about the path. */
RAW static int is_ours(int error) {
        return error == -EAGAIN || error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOSYS || error == -EPERM;
}

RAW static int open_in(int root, const char *path) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_MAGICLINKS };
        int fd, tries = 0;

        do
                fd = sys_openat2(root, path, &how);
        while (fd == -EINTR || (fd == -EAGAIN && ++tries < RETRIES));
        return fd;
}

RAW static int open_seen(int root, const char *rootfs, const char *path) {
        int in, fd;

        if (!rootfs)
                return open_in(root, path);
        in = open_in(root, rootfs);
        if (in < 0)
                return in;
        fd = open_in(in, path[0] ? path : "/");
        sys_close(in);
        return fd;
}

RAW int view_compare(int root, const char *rootfs, const char *path, int fd, int *ret_resolved, int *ret_dir) {
        struct sys_statx theirs, ours;
        int seen = open_seen(root, rootfs, path), r;

        if (is_ours(seen))
                return seen;
        *ret_resolved = 1;
        if (seen < 0)
                return -EACCES;
        r = identify(seen, &ours);
        if (r == 0)
                r = identify(fd, &theirs);
        if (r == 0 && (ours.ino != theirs.ino || ours.dev_major != theirs.dev_major || ours.dev_minor != theirs.dev_minor))
                r = -EACCES;
        if (r < 0) {
                sys_close(seen);
                return r;
        }
        *ret_dir = S_ISDIR(ours.mode);
        return seen;
}
