/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "demo_kernel.h"
#include "demo_look.h"

/* What the mount at @path is: the number that only this boot of the kernel ever used for it. */
static int mount_id(const char *path, uint64_t *ret_id) {
        struct statx st;

        if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, KERNEL_STATX_MNT_ID_UNIQUE, &st) < 0)
                return -errno;
        if (!(st.stx_mask & KERNEL_STATX_MNT_ID_UNIQUE))
                return -ENOSYS;
        /* stx_mnt_id, which headers before Linux 5.8 do not name */
        memcpy(ret_id, (const char *)&st + 0x90, sizeof(*ret_id));
        return 0;
}

/* "0 5000 1000\0" "1000 0 1\0" as "0 5000 1000, 1000 0 1"; "none" for a mount that maps nothing. */
static void join(const char *extent, uint32_t n, char *text, size_t size) {
        size_t used = 0;

        snprintf(text, size, "none");
        for (uint32_t i = 0; i < n && used < size; i++, extent += strlen(extent) + 1)
                used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", extent);
}

void look_statmount(const char *path, struct look_statmount *ret) {
        union {
                struct kernel_statmount mount;
                char bytes[8192];
        } buffer;
        const struct kernel_statmount *mount = &buffer.mount;
        const uint64_t maps = KERNEL_STATMOUNT_UIDMAP | KERNEL_STATMOUNT_GIDMAP;
        const uint64_t wanted = maps | KERNEL_STATMOUNT_FS_TYPE | KERNEL_STATMOUNT_MNT_ROOT | KERNEL_STATMOUNT_SUPPORTED;
        uint64_t id = 0;

        memset(ret, 0, sizeof(*ret));
        memset(&buffer, 0, sizeof(buffer));
        ret->error = mount_id(path, &id);
        if (ret->error == 0)
                ret->error = kernel_statmount(id, wanted, &buffer.mount, sizeof(buffer) - 1);
        if (ret->error < 0)
                return;
        if (mount->mask & KERNEL_STATMOUNT_FS_TYPE)
                snprintf(ret->type, sizeof(ret->type), "%s", mount->str + mount->fs_type);
        if (mount->mask & KERNEL_STATMOUNT_MNT_ROOT)
                snprintf(ret->root, sizeof(ret->root), "%s", mount->str + mount->mnt_root);
        /* A mount without a map has no such field, as on a kernel that does not know it: only the kernel can tell apart. */
        ret->no_maps = (mount->mask & maps) != maps &&
                       !(mount->mask & KERNEL_STATMOUNT_SUPPORTED && (mount->supported_mask & maps) == maps);
        join(mount->str + mount->uidmap, mount->mask & KERNEL_STATMOUNT_UIDMAP ? mount->uidmap_num : 0, ret->uids,
             sizeof(ret->uids));
        join(mount->str + mount->gidmap, mount->mask & KERNEL_STATMOUNT_GIDMAP ? mount->gidmap_num : 0, ret->gids,
             sizeof(ret->gids));
}
