/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>
#include "cleanup.h"
#include "init.h"
#include "kernel.h"
#include "rootfs.h"
#include "say.h"

#define AHEAD_MAX 8     /* requests sent ahead: as many descriptors are held at a time, and RLIMIT_NOFILE may be low */

/* Where a source can depend on the mounts before it, the parent may look for it only after these are in place. */
static bool independent(const struct bundle_mount *mount) {
        return !mount->in_root && !(mount->above_root && (mount->want.flags & INITSYNC_MOUNT_RECURSIVE));
}

static int set_propagation(const struct bundle_mount *mount, int tree, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .propagation = mount->propagation };
        int r;

        if (!mount->propagation)
                return 0;
        r = kernel_mount_setattr(tree, mount->propagation_recursive, &attr);
        return r < 0 ? fault_call(reterr, r, "mount_setattr", mount->want.source) : 0;
}

static int attach(const struct bundle_mount *mount, int root, int tree, struct initsync_error *reterr) {
        _cleanup_fd_ int target = -1;
        struct statx st;
        int r;

        r = set_propagation(mount, tree, reterr);
        if (r < 0)
                return r;
        /* The type alone, without asking a file server that may not answer. */
        if (statx(tree, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return fault_call(reterr, -errno, "statx", mount->want.source);
        r = rootfs_mount_point(root, mount->want.destination, S_ISDIR(st.stx_mode), &target, reterr);
        if (r < 0)
                return r;
        r = initsync_attach(tree, target, reterr);
        return r < 0 ? fault_in(reterr, "%s", mount->want.destination) : 0;
}

/* The source of a plain bind, opened here: -EACCES and -EPERM mean that the parent may be able to. */
static int open_source(const struct bundle_mount *mount, int root) {
        if (mount->in_root)
                return rootfs_resolve(root, mount->in_root);
        return kernel_openat2(AT_FDCWD, mount->want.source, O_PATH, RESOLVE_NO_MAGICLINKS);
}

static int clone_source(const struct bundle_mount *mount, int source, int *ret_tree, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .attr_set = mount->want.attr_set, .attr_clr = mount->want.attr_clr };
        _cleanup_fd_ int tree = -1;
        int r;

        tree = kernel_clone_tree(source, !!(mount->want.flags & INITSYNC_MOUNT_RECURSIVE));
        if (tree < 0)
                return fault_call(reterr, tree, "open_tree", mount->want.source);
        if (attr.attr_set || attr.attr_clr) {
                r = kernel_mount_setattr(tree, false, &attr);
                if (r < 0)
                        return fault_call(reterr, r, "mount_setattr", mount->want.source);
        }
        *ret_tree = take_fd(&tree);
        return 0;
}

static int make_one(const struct bundle_mount *mount, int root, struct initsync_child *child,
                    struct initsync_error *reterr) {
        _cleanup_fd_ int source = -1, tree = -1;
        int r;

        if (mount->want.n_uids == 0) {
                source = open_source(mount, root);
                if (source < 0 && source != -EACCES && source != -EPERM)
                        return fault_call(reterr, source, "openat2", mount->want.source);
        }
        if (source >= 0)
                r = clone_source(mount, source, &tree, reterr);
        else
                r = initsync_child_mount(child, &mount->want, &tree, reterr);
        return r < 0 ? r : attach(mount, root, tree, reterr);
}

/* @n id-mapped mounts, all asked for before the first is attached. */
static int make_ahead(const struct bundle_mount *mounts, size_t n, int root, struct initsync_child *child,
                      size_t *ret_failed, struct initsync_error *reterr) {
        struct initsync_mount wanted[AHEAD_MAX] = { INITSYNC_MOUNT_INIT };
        int trees[AHEAD_MAX];
        size_t i;
        int r;

        for (i = 0; i < n; i++)
                wanted[i] = mounts[i].want;
        r = initsync_child_mounts(child, wanted, n, trees, reterr);
        if (r < 0) {
                *ret_failed = reterr->mount >= 0 && (size_t)reterr->mount < n ? (size_t)reterr->mount : 0;
                return r;
        }
        for (i = 0; i < n; i++) {
                if (r == 0) {
                        r = attach(&mounts[i], root, trees[i], reterr);
                        *ret_failed = i;
                }
                fd_closep(&trees[i]);
        }
        return r;
}

int init_mounts(const struct bundle *bundle, int root, struct initsync_child *child, struct initsync_error *reterr) {
        const struct bundle_mount *mounts = bundle->mounts;
        size_t i, n, failed;
        int r;

        for (i = 0; i < bundle->n_mounts; i += n) {
                for (n = 0; n < AHEAD_MAX && i + n < bundle->n_mounts; n++)
                        if (mounts[i + n].want.n_uids == 0 || !independent(&mounts[i + n]))
                                break;
                failed = 0;
                if (n > 1) {
                        r = make_ahead(&mounts[i], n, root, child, &failed, reterr);
                } else {
                        n = 1;
                        r = make_one(&mounts[i], root, child, reterr);
                }
                if (r < 0) {
                        fault_in(reterr, "config.json: mounts[%zu]", mounts[i + failed].index);
                        reterr->mount = (int32_t)mounts[i + failed].index;
                        return r;
                }
        }
        return 0;
}
