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

RAW int view_compare(int root, const char *path, int fd, int *ret_resolved) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_MAGICLINKS };
        struct sys_statx theirs, ours;
        int seen, r, tries = 0;

        do
                seen = sys_openat2(root, path, &how);
        while (seen == -EINTR || (seen == -EAGAIN && ++tries < RETRIES));
        if (is_ours(seen))
                return seen;
        *ret_resolved = 1;
        if (seen < 0)
                return -EACCES;
        r = identify(seen, &ours);
        sys_close(seen);
        if (r == 0)
                r = identify(fd, &theirs);
        if (r != 0)
                return r;
        return ours.ino == theirs.ino && ours.dev_major == theirs.dev_major && ours.dev_minor == theirs.dev_minor ? 0 : -EACCES;
}
