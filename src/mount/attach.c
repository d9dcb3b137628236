/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/number.h"
#include "kernel/fd.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"

/* Below Linux 6.8: is a mount with this (reusable) id in our table. */
static int in_mountinfo(uint64_t id) {
        _cleanup_fd_ int procfs = procfs_open();
        char line[8192];
        FILE *file;
        int fd, found = 0;

        if (procfs < 0)
                return procfs;
        fd = sys_openat(procfs, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fd;
        file = fdopen(fd, "re");
        if (!file) {
                fd_close(fd);
                return -ENOMEM;
        }
        while (!found && fgets(line, sizeof(line), file)) {
                const char *at = line;
                uint64_t one = 0;

                found = number_read(&at, UINT64_MAX, &one) == 0 && *at == ' ' && one == id;
                while (!strchr(line, '\n') && fgets(line, sizeof(line), file))
                        ;
        }
        fclose(file);
        return found;
}

/* ".." of an attached mount's root leaves that mount; of a detached one it stays there. For directories. */
static int is_detached_directory(int fd, const char **ret_call) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = SYS_RESOLVE_NO_XDEV };
        _cleanup_fd_ int up = sys_openat2(fd, "..", &how);

        *ret_call = "openat2";
        return up >= 0 ? 1 : up == -EXDEV ? 0 : up;
}

/* Before open_tree_attr(2) came, in 6.15, a detached mount could not be cloned, and every attached one can that is bindable. */
static int is_detached_file(int fd) {
        unsigned flags = SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC | SYS_AT_EMPTY_PATH;
        _cleanup_fd_ int clone = -1;

        if (sys_open_tree_attr(-1, "", 0, NULL) != -ENOSYS)
                return -ENOSYS;
        clone = sys_open_tree(fd, "", flags);
        return clone < 0;
}

/* Below Linux 6.8, or behind a filter that hides statmount(2). A child in a new pid namespace may have no usable /proc yet. */
static int is_detached_old(int fd, const char **ret_call) {
        struct sys_statx stx;
        int r = sys_statx(fd, "", SYS_AT_EMPTY_PATH | SYS_AT_STATX_DONT_SYNC, SYS_STATX_MNT_ID | SYS_STATX_TYPE, &stx), known;

        *ret_call = "statx";
        if (r < 0)
                return r;
        if ((stx.mode & S_IFMT) == S_IFDIR)
                return is_detached_directory(fd, ret_call);
        *ret_call = "openat";
        r = in_mountinfo(stx.mnt_id);
        known = r >= 0 ? !r : is_detached_file(fd);
        return known < 0 ? r : known;
}

/*
 * 1 for the root of a mount that is not in our mount table. move_mount() itself would move an attached mount away from where it
 * is.
 */
static int is_detached(int fd, const char **ret_call) {
        struct sys_statx stx;
        struct sys_statmount stat;
        struct sys_mnt_id_req request = { .size = SYS_MNT_ID_REQ_SIZE };
        int r = sys_statx(fd, "", SYS_AT_EMPTY_PATH | SYS_AT_STATX_DONT_SYNC, SYS_STATX_MNT_ID_UNIQUE, &stx);

        if (r < 0)
                return r;
        if (!(stx.attributes & SYS_STATX_ATTR_MOUNT_ROOT))
                return 0;
        if (stx.mask & SYS_STATX_MNT_ID_UNIQUE) {
                request.mnt_id = stx.mnt_id;
                request.param = SYS_STATMOUNT_MNT_BASIC;
                *ret_call = "statmount";
                r = sys_statmount(&request, &stat, sizeof(stat));
                if (r == -ENOENT)
                        return 1;
                if (r != -ENOSYS && r != -EPERM)
                        return r < 0 ? r : 0;
        }
        return is_detached_old(fd, ret_call);
}

/* move_mount() has but EINVAL for it. */
static int kinds_differ(int source_fd, int target_fd) {
        struct sys_statx source, target;
        const int flags = SYS_AT_EMPTY_PATH | SYS_AT_STATX_DONT_SYNC;

        if (sys_statx(source_fd, "", flags, SYS_STATX_TYPE, &source) < 0 ||
            sys_statx(target_fd, "", flags, SYS_STATX_TYPE, &target) < 0)
                return 0;
        return ((source.mode & S_IFMT) == S_IFDIR) != ((target.mode & S_IFMT) == S_IFDIR);
}

PUBLIC int initsync_attach(int source_fd, int target_fd, struct initsync_error *reterr) {
        const char *call = "statx";
        int r = is_detached(source_fd, &call);

        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_MOUNT, call, NULL, "attach: the source descriptor");
        if (r == 0)
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_MOUNT, "statmount", NULL,
                                 "attach: the source descriptor is no detached mount");
        r = sys_move_mount(source_fd, "", target_fd, "", SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH);
        if (r == -EINVAL && kinds_differ(source_fd, target_fd))
                r = -ENOTDIR;
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_MOUNT, "move_mount", NULL, "attach: move_mount%s",
                                 r == -ENOTDIR ? " (a file onto a directory, or the reverse)" : "");
        return 0;
}
