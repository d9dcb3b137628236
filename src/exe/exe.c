/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/statvfs.h>
#include "base/error.h"
#include "exe/exe.h"
#include "exe/memfd.h"
#include "kernel/fd.h"
#include "kernel/procfs.h"

int exe_open(struct exe *exe, struct initsync_error *reterr) {
        const char *call = "open";

        exe->fd = procfs_open_exe(O_PATH, exe->path, sizeof(exe->path));
        if (exe->fd < 0 && initsync_feature("openat2") != 1)
                call = "openat2";       /* without which nothing is safe to open there */
        else if (exe->fd == -ENOSYS)
                return error_say(reterr, -ENOSYS, INITSYNC_STAGE_SEAL, "open", "/proc/self/exe",
                                 "/proc/self/exe: no procfs at /proc that shows this process");
        if (exe->fd < 0)
                return error_set(reterr, exe->fd, INITSYNC_STAGE_SEAL, call, "/proc/self/exe", "/proc/self/exe: %s", call);
        return 0;
}

void exe_close(struct exe *exe) {
        exe->fd = fd_close(exe->fd);
}

const char *exe_name(const struct exe *exe) {
        const char *slash = strrchr(exe->path, '/');

        return slash ? slash + 1 : exe->path;
}

/*
 * Writing to a file of an overlay never changes the file below, and to one of ours nothing at all. That it is ours, or that of
 * another runtime with the same way, is told by its mount: in no mount namespace, so that nobody whom the file leads to that
 * mount can change it, and with these attributes.
 */
static int overlay_sealed(int fd, const struct statfs *fs) {
        const unsigned long all = ST_RDONLY | ST_NOSUID | ST_NODEV;
        struct sys_mnt_id_req request = { .size = SYS_MNT_ID_REQ_SIZE, .param = SYS_STATMOUNT_MNT_BASIC };
        struct sys_statmount mount;
        struct sys_statx stx;
        int r;

        if (((unsigned long)fs->f_flags & all) != all)
                return 0;
        r = sys_statx(fd, "", SYS_AT_EMPTY_PATH, SYS_STATX_MNT_ID_UNIQUE, &stx);
        if (r < 0)
                return r;
        if (!(stx.mask & SYS_STATX_MNT_ID_UNIQUE))
                return 0;               /* older than the way itself */
        request.mnt_id = stx.mnt_id;
        return sys_statmount(&request, &mount, sizeof(mount)) == -ENOENT;
}

int exe_sealed(int fd) {
        struct statfs fs;
        int r = fd_statfs(fd, &fs);

        if (r < 0)
                return r;
        if (fs.f_type == SYS_OVERLAYFS_MAGIC)
                return overlay_sealed(fd, &fs);
        return fs.f_type == SYS_TMPFS_MAGIC ? memfd_sealed(fd) : 0;
}

PUBLIC int initsync_exe_is_sealed(void) {
        struct exe exe = EXE_INIT;
        _cleanup_fd_ int fd = -1;
        int r = exe_open(&exe, NULL);

        if (r < 0)
                return r;
        r = exe_sealed(exe.fd);
        if (r == -EBADF) {              /* seals are asked of a file that is open for more */
                fd = procfs_open_exe(O_RDONLY, exe.path, sizeof(exe.path));
                r = fd < 0 ? fd : exe_sealed(fd);
        }
        exe_close(&exe);
        return r;
}
