/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/error.h"
#include "exe/overlay.h"
#include "kernel/fd.h"
#include "kernel/overlay.h"

#define WHAT (SYS_STATX_INO | SYS_STATX_SIZE | SYS_STATX_MTIME | SYS_STATX_CTIME)

static int failed(struct initsync_error *reterr, int code, const char *call) {
        return error_set(reterr, code, INITSYNC_STAGE_SEAL, call, NULL, "%s", call);
}

static int stale(struct initsync_error *reterr, const char *call) {
        return error_say(reterr, -ESTALE, INITSYNC_STAGE_SEAL, call, NULL,
                         "%s: the running file is not the one at its path: it was deleted, replaced, or is hidden", call);
}

static int same_time(const struct sys_statx_time *a, const struct sys_statx_time *b) {
        return a->sec == b->sec && a->nsec == b->nsec;
}

/* The device is another one in the overlay. */
static int same_file(const struct sys_statx *a, const struct sys_statx *b) {
        return a->ino == b->ino && a->size == b->size && same_time(&a->mtime, &b->mtime) && same_time(&a->ctime, &b->ctime);
}

static int same_device(const struct sys_statx *a, const struct sys_statx *b) {
        return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

/* The directory in which the executable is still found, by its name. */
static int open_directory(const struct exe *exe, const struct sys_statx *own, struct initsync_error *reterr) {
        char path[PATH_MAX];
        size_t n = (size_t)(exe_name(exe) - exe->path);
        _cleanup_fd_ int dir = -1;
        struct sys_statx there;
        int r;

        if (exe->path[0] != '/')
                return stale(reterr, "open");
        memcpy(path, exe->path, n);
        path[n] = '\0';
        dir = fd_above_stdio(sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (dir == -ENOENT || dir == -ENOTDIR)
                return stale(reterr, "open");
        if (dir < 0)
                return failed(reterr, dir, "open");
        r = sys_statx(dir, exe_name(exe), AT_SYMLINK_NOFOLLOW, WHAT, &there);
        if (r < 0 && r != -ENOENT)
                return failed(reterr, r, "statx");
        if (r < 0 || !same_file(own, &there) || !same_device(own, &there))
                return stale(reterr, "statx");
        return fd_take(&dir);
}

int overlay_seal(const struct exe *exe, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int dir = -1, mount = -1, fd = -1;
        struct sys_statx own, copy;
        const char *call = "";
        int r = sys_statx(exe->fd, "", SYS_AT_EMPTY_PATH, WHAT, &own);

        if (r < 0)
                return failed(reterr, r, "statx");
        dir = open_directory(exe, &own, reterr);
        if (dir < 0)
                return dir;
        mount = overlay_over(dir, &call);
        if (mount < 0)
                return failed(reterr, mount, call);
        fd = fd_above_stdio(sys_openat(mount, exe_name(exe), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (fd == -ENOENT)
                return stale(reterr, "open");
        if (fd < 0)
                return failed(reterr, fd, "open");
        /* Again: replaced just now, or mounted over its name, which the overlay does not show. */
        r = sys_statx(fd, "", SYS_AT_EMPTY_PATH, WHAT, &copy);
        if (r < 0)
                return failed(reterr, r, "statx");
        if (!same_file(&own, &copy))
                return stale(reterr, "statx");
        *ret_fd = fd_take(&fd);
        return 0;
}
