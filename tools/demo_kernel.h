/* SPDX-License-Identifier: MIT */
#ifndef DEMO_KERNEL_H
#define DEMO_KERNEL_H

/* What only the demo needs of the kernel, beside kernel.h: looks at mounts. */

#include "kernel.h"

#ifndef SYS_statmount
#define SYS_statmount 457               /* since 6.8 */
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467          /* since 6.15 */
#endif

#define KERNEL_MOUNT_ATTR_IDMAP 0x00100000      /* since 5.12 */

static inline int kernel_open_tree_attr(int fd, const struct mount_attributes *attr) {
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;

        return kernel_result(syscall(SYS_open_tree_attr, fd, "", flags, attr, sizeof(*attr)));
}

#define KERNEL_STATX_MNT_ID_UNIQUE 0x4000       /* since 6.8 */
#define KERNEL_STATMOUNT_MNT_ROOT 0x0008
#define KERNEL_STATMOUNT_FS_TYPE 0x0020
#define KERNEL_STATMOUNT_SUPPORTED 0x1000       /* since 6.15, these three */
#define KERNEL_STATMOUNT_UIDMAP 0x2000
#define KERNEL_STATMOUNT_GIDMAP 0x4000

struct kernel_mnt_id_req {                      /* the first version */
        uint32_t size, spare;
        uint64_t mnt_id, param;
};

struct kernel_statmount {
        uint32_t size, mnt_opts;
        uint64_t mask;
        uint32_t sb_dev_major, sb_dev_minor;
        uint64_t sb_magic;
        uint32_t sb_flags, fs_type;
        uint64_t mnt_id, mnt_parent_id;
        uint32_t mnt_id_old, mnt_parent_id_old;
        uint64_t mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
        uint32_t mnt_root, mnt_point;
        uint64_t mnt_ns_id;
        uint32_t fs_subtype, sb_source, opt_num, opt_array, opt_sec_num, opt_sec_array;
        uint64_t supported_mask;
        uint32_t uidmap_num, uidmap, gidmap_num, gidmap;        /* extents "inside outside count", NUL between them */
        uint64_t spare[43];
        char str[];
};

static inline int kernel_statmount(uint64_t mnt_id, uint64_t mask, struct kernel_statmount *buffer, size_t size) {
        struct kernel_mnt_id_req req = { sizeof(req), 0, mnt_id, mask };

        return kernel_result(syscall(SYS_statmount, &req, buffer, size, 0));
}

#endif /* DEMO_KERNEL_H */
