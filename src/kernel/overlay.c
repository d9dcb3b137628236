/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include "kernel/fd.h"
#include "kernel/overlay.h"
#include "kernel/syscalls.h"

#define ATTRIBUTES (SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV)

static int finish(int context, unsigned attributes, const char **ret_call) {
        int r;

        *ret_call = "fsconfig";
        r = sys_fsconfig(context, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
        if (r < 0)
                return r;
        *ret_call = "fsmount";
        return fd_above_stdio(sys_fsmount(context, SYS_FSMOUNT_CLOEXEC, attributes));
}

int overlay_tmpfs(unsigned attributes, const char **ret_call) {
        _cleanup_fd_ int context = -1;

        *ret_call = "fsopen";
        context = sys_fsopen("tmpfs", SYS_FSOPEN_CLOEXEC);
        return context < 0 ? context : finish(context, attributes, ret_call);
}

int overlay_over(int dir, const char **ret_call) {
        _cleanup_fd_ int empty = overlay_tmpfs(ATTRIBUTES, ret_call), context = -1;
        int r;

        if (empty < 0)
                return empty;
        *ret_call = "fsopen";
        context = sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC);
        if (context < 0)
                return context;
        *ret_call = "fsconfig";
        /* Else the upper bits of inode numbers might say which layer a file is in. */
        r = sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, "xino", "off", 0);
        if (r == 0)
                r = sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, dir);
        /* Without an upper layer two lower ones are the least. */
        if (r == 0)
                r = sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, empty);
        return r < 0 ? r : finish(context, ATTRIBUTES, ret_call);
}
