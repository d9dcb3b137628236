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

RAW static int same(const struct sys_statx *a, const struct sys_statx *b) {
        return a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

RAW static int open_in(int root, const char *path, uint64_t resolve) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC,
                                    .resolve = SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_MAGICLINKS | resolve };
        int fd, tries = 0;

        do
                fd = sys_openat2(root, path, &how);
        while (fd == -EINTR || (fd == -EAGAIN && ++tries < RETRIES));
        return fd;
}

RAW static int open_seen(int root, const char *rootfs, const char *path, uint64_t resolve) {
        int in, fd;

        if (!rootfs)
                return open_in(root, path, resolve);
        in = open_in(root, rootfs, 0);
        if (in < 0)
                return in;
        fd = open_in(in, path[0] ? path : "/", resolve);
        sys_close(in);
        return fd;
}

RAW static int identify_path(int root, const char *path, struct sys_statx *ret) {
        int r, fd = open_in(root, path, 0);

        if (fd < 0)
                return fd;
        r = identify(fd, ret);
        sys_close(fd);
        return r;
}

RAW int view_inside(int root, const char *path, const char *rootfs) {
        struct sys_statx want, seen;
        char prefix[4096];
        int i, r;

        r = identify_path(root, rootfs, &want);
        if (r < 0)
                return is_ours(r) ? r : 0;
        for (i = 0; i < (int)sizeof(prefix); i++) {
                prefix[i] = '\0';
                if (i > 1 && (path[i] == '/' || path[i] == '\0') && path[i - 1] != '/') {
                        r = identify_path(root, prefix, &seen);
                        if (r < 0)
                                return is_ours(r) ? r : 0;
                        /* At once out of it again: beside the root file system, by no name of the image's. */
                        if (same(&want, &seen) &&
                            !(path[i] && path[i + 1] == '.' && path[i + 2] == '.' && (path[i + 3] == '/' || !path[i + 3])))
                                return i;
                }
                if (path[i] == '\0')
                        return 0;
                prefix[i] = path[i];
        }
        return 0;
}

RAW int view_compare(int root, const char *rootfs, const char *path, int fd, int links, int *ret_resolved, int *ret_dir) {
        struct sys_statx theirs, ours;
        int seen = open_seen(root, rootfs, path, links ? 0 : SYS_RESOLVE_NO_SYMLINKS), r;

        if (is_ours(seen) || (seen == -ELOOP && !links))
                return seen;
        *ret_resolved = 1;
        if (seen < 0)
                return -EACCES;
        r = identify(seen, &ours);
        if (r == 0)
                r = identify(fd, &theirs);
        if (r == 0 && !same(&ours, &theirs))
                r = -EACCES;
        if (r < 0) {
                (sys_close)(seen);      /* no site for faults: no scene has a file that differs */
                return r;
        }
        *ret_dir = S_ISDIR(ours.mode);
        return seen;
}
