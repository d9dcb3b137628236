/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "cleanup.h"
#include "copy_up.h"
#include "dev.h"
#include "init.h"
#include "kernel.h"
#include "mask.h"
#include "mount_cgroup.h"
#include "mount_idmap.h"
#include "mount_remount.h"
#include "mount_type.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"

#define AHEAD_MAX 8     /* requests sent ahead: as many descriptors are held at a time, and RLIMIT_NOFILE may be low */

/* Where a source can depend on the mounts before it, the parent may look for it only after these are in place. */
static bool independent(const struct bundle_mount *mount) {
        return !mount->in_root && !(mount->above_root && (mount->want.flags & INITSYNC_MOUNT_RECURSIVE));
}

/* A user namespace keeps what its mounts had when it got them; what is not asked for stays as it is anyway. */
static int say_attributes(const struct bundle_mount *mount, int code, int source, struct initsync_error *reterr) {
        static const struct {
                unsigned long flag;
                uint64_t attribute;
                const char *name;
        } known[] = {
                { ST_RDONLY, MOUNT_ATTR_RDONLY, "ro" }, { ST_NOSUID, MOUNT_ATTR_NOSUID, "nosuid" },
                { ST_NODEV, MOUNT_ATTR_NODEV, "nodev" }, { ST_NOEXEC, MOUNT_ATTR_NOEXEC, "noexec" },
        };
        uint64_t clr = mount->want.attr_clr | mount->tree_clr;
        struct statvfs st;
        size_t i;

        if (code != -EPERM || fstatvfs(source, &st) < 0)
                return code;
        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if ((st.f_flag & known[i].flag) && (clr & known[i].attribute))
                        return fault_in(reterr, "the source is %s, which a user namespace cannot change", known[i].name);
        return (clr & MOUNT_ATTR__ATIME) ?
               fault_in(reterr, "a user namespace cannot change the access times of the source") : code;
}

static int set_propagation(const struct bundle_mount *mount, int tree, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .propagation = mount->propagation };

        return mount->propagation ? tree_set(tree, mount->propagation_recursive, &attr, mount->want.source, reterr) : 0;
}

/* Of all mounts in the tree: the one on top, too. */
static int set_tree_attributes(const struct bundle_mount *mount, int tree, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .attr_set = mount->tree_set, .attr_clr = mount->tree_clr };
        int r;

        if (!attr.attr_set && !attr.attr_clr)
                return 0;
        r = tree_set(tree, true, &attr, mount->want.source, reterr);
        return r < 0 ? say_attributes(mount, r, tree, reterr) : 0;
}

/*
 * By a symlink an image could have what is to be masked in /proc appear in a place of its own choice; or something else
 * appear in its stead, so that there is nothing to be masked.
 */
static int check_way(const struct bundle_mount *mount, int root, int target, struct initsync_error *reterr) {
        if (rootfs_ordinary(root, mount->want.destination, target) == 0)
                return 0;
        if (mount_type_ordinary(mount))
                return fault(reterr, -ELOOP, "%s: is reached by a symlink, which is not allowed for %s",
                             mount->want.destination, mount->type);
        if (mount_type_hidden(target))
                return fault(reterr, -ELOOP, "%s: leads by a symlink into a file system of the kernel's own, as /proc is",
                             mount->want.destination);
        return 0;
}

/*
 * A tmpfs for which no mode is given has that of the directory that it covers, as with other runtimes: the kernel's own
 * would let everybody write to the image's /run.
 */
static int keep_mode(const struct bundle_mount *mount, int target, int tree, struct initsync_error *reterr) {
        struct statx st;
        size_t i;

        if (mount->kind != MOUNT_FILE_SYSTEM || strcmp(mount->type, "tmpfs") != 0 || mount_is_mapped(mount))
                return 0;
        for (i = 0; i < mount->n_data; i++)
                if (strncmp(mount->data[i], "mode=", 5) == 0)
                        return 0;
        if (statx(target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MODE, &st) < 0)
                return fault_call(reterr, -errno, "statx", mount->want.destination);
        return fchmodat(tree, ".", st.stx_mode & 07777, 0) < 0 ? fault_call(reterr, -errno, "fchmodat", "tmpfs") : 0;
}

static int attach(const struct bundle_mount *mount, int root, int tree, struct initsync_error *reterr) {
        _cleanup_fd_ int target = -1;
        struct statx st;
        bool made;
        int r;

        /* The type alone, without asking a file server that may not answer. */
        if (statx(tree, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return fault_call(reterr, -errno, "statx", mount->want.source);
        r = rootfs_mount_point(root, mount->want.destination, S_ISDIR(st.stx_mode), &target, reterr);
        if (r < 0)
                return r;
        made = r == 0;
        r = check_way(mount, root, target, reterr);
        if (r == 0 && made)
                r = keep_mode(mount, target, tree, reterr);
        if (r == 0 && mount->copy_up)
                r = copy_up(target, tree, reterr);
        if (r == 0)
                r = set_tree_attributes(mount, tree, reterr);
        if (r == 0)
                r = set_propagation(mount, tree, reterr);
        if (r == 0)
                r = tree_attach(tree, target, reterr);
        return r < 0 ? fault_in(reterr, "%s", mount->want.destination) : 0;
}

/* The source of a plain bind, opened here: -EACCES and -EPERM mean that the parent may be able to. */
static int open_source(const struct bundle_mount *mount, int root) {
        const char *inside = mount->in_root;
        int fd;

        /* Where there are symlinks, the path may lie in the image by another spelling: those of the image must not lead out. */
        if (!inside) {
                fd = kernel_openat2(AT_FDCWD, mount->want.source, O_PATH, RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS);
                if (fd != -ELOOP)
                        return fd;
                inside = rootfs_inside(root, mount->want.source);
        }
        if (inside)
                return rootfs_resolve(root, inside);
        return kernel_openat2(AT_FDCWD, mount->want.source, O_PATH, RESOLVE_NO_MAGICLINKS);
}

static int say_source(const struct bundle_mount *mount, int code, struct initsync_error *reterr) {
        fault_call(reterr, code, "openat2", mount->want.source);
        return code == -ELOOP ? fault_in(reterr, "too many symlinks, or a magic link of /proc, which is not followed") : code;
}

/* Why a clone is refused: which of that it was cannot be told. */
static int say_clone(const struct bundle_mount *mount, int code, struct initsync_error *reterr) {
        if (code != -EINVAL)
                return code;
        return fault_in(reterr, mount->want.flags & INITSYNC_MOUNT_RECURSIVE ? "an unbindable mount" :
                        "an unbindable mount, or one with others below that a user namespace takes along by rbind only");
}

static int clone_source(const struct bundle_mount *mount, int source, int *ret_tree, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .attr_set = mount->want.attr_set, .attr_clr = mount->want.attr_clr };
        _cleanup_fd_ int tree = -1;
        int r;

        r = tree_clone(source, !!(mount->want.flags & INITSYNC_MOUNT_RECURSIVE), mount->want.source, &tree, reterr);
        if (r < 0)
                return say_clone(mount, r, reterr);
        if (attr.attr_set || attr.attr_clr) {
                r = tree_set(tree, false, &attr, mount->want.source, reterr);
                if (r < 0)
                        return say_attributes(mount, r, tree, reterr);
        }
        *ret_tree = take_fd(&tree);
        return 0;
}

static int make_bind(const struct bundle_mount *mount, int root, struct initsync_child *child, int *ret_tree,
                     struct initsync_error *reterr) {
        _cleanup_fd_ int source = -1, tree = -1;
        int r;

        if (!mount_is_mapped(mount)) {
                source = open_source(mount, root);
                if (source < 0 && source != -EACCES && source != -EPERM)
                        return say_source(mount, source, reterr);
        }
        if (source >= 0)
                r = clone_source(mount, source, &tree, reterr);
        else
                r = initsync_child_mount(child, &mount->want, &tree, reterr);
        if (r == 0)
                r = attach(mount, root, tree, reterr);
        if (r == 0)
                *ret_tree = take_fd(&tree);
        return r;
}

static int ask_for_file_system(const struct bundle_mount *mount, const char *source, struct initsync_child *child,
                               int *ret_tree, struct initsync_error *reterr) {
        struct initsync_mount wanted = mount->want;

        wanted.source = source;
        return initsync_child_mount(child, &wanted, ret_tree, reterr);
}

static int make_file_system(const struct bundle_mount *mount, const struct bundle *bundle, int root,
                            struct initsync_child *child, int *ret_tree, struct initsync_error *reterr) {
        const bool namespace = bundle->namespaces & CLONE_NEWCGROUP;
        _cleanup_fd_ int tree = -1;
        int r;

        if (mount->kind == MOUNT_CGROUP)
                r = mount_cgroup_make(mount, namespace, &tree, reterr);
        else if (bundle_from_parent(bundle, mount))
                r = ask_for_file_system(mount, bundle_from_parent(bundle, mount), child, &tree, reterr);
        else
                r = mount_type_make(mount, &tree, reterr);
        if (r == 0)
                r = mount_idmap(mount, bundle, tree, reterr);
        if (r < 0)
                return fault_in(reterr, "%s", mount->want.destination);
        r = attach(mount, root, tree, reterr);
        if (r < 0)
                return r;
        if (mount->kind == MOUNT_CGROUP)
                r = mount_cgroup_populate(mount, namespace, tree, reterr);
        if (r < 0)
                return fault_in(reterr, "%s", mount->want.destination);
        *ret_tree = take_fd(&tree);
        return 0;
}

/* What is put into /dev later is put into this mount, whatever else may lie there by then. */
static int note_dev(const struct bundle_mount *mount, int tree, struct init_late *late, struct initsync_error *reterr) {
        if (dev_is(mount) <= 0)
                return 0;
        fd_closep(&late->dev);
        late->dev = fcntl(tree, F_DUPFD_CLOEXEC, 3);
        return late->dev < 0 ? fault_call(reterr, -errno, "fcntl", mount->want.destination) : 0;
}

/* Read-only at last, or not any more. */
static int set_late(const struct bundle_mount *mount, int tree, struct init_late *late, struct initsync_error *reterr) {
        size_t i;

        for (i = 0; i < late->n && (mount->want.attr_clr & MOUNT_ATTR_RDONLY); i++) {
                if (!rootfs_same(late->trees[i], tree))
                        continue;
                fd_closep(&late->trees[i]);
                late->trees[i--] = late->trees[--late->n];
        }
        if (!mount_type_later(mount))
                return 0;
        late->trees[late->n] = fcntl(tree, F_DUPFD_CLOEXEC, 3);
        return late->trees[late->n++] < 0 ? fault_call(reterr, -errno, "fcntl", mount->want.destination) : 0;
}

static int remount(const struct bundle_mount *mount, const struct init_late *late, int *ret_tree,
                   struct initsync_error *reterr) {
        _cleanup_fd_ int tree = fcntl(late->kept[mount->remounted], F_DUPFD_CLOEXEC, 3);
        int r;

        if (tree < 0)
                return fault_call(reterr, -errno, "fcntl", mount->want.destination);
        r = mount_remount(mount, tree, reterr);
        if (r == 0)
                r = set_tree_attributes(mount, tree, reterr);
        if (r == 0)
                r = set_propagation(mount, tree, reterr);
        if (r == 0)
                *ret_tree = take_fd(&tree);
        return r;
}

static int make_one(const struct bundle *bundle, size_t i, int root, struct initsync_child *child, struct init_late *late,
                    struct initsync_error *reterr) {
        const struct bundle_mount *mount = &bundle->mounts[i];
        _cleanup_fd_ int tree = -1;
        int r;

        if (mount->kind == MOUNT_REMOUNT)
                r = remount(mount, late, &tree, reterr);
        else if (mount->kind == MOUNT_BIND)
                r = make_bind(mount, root, child, &tree, reterr);
        else
                r = make_file_system(mount, bundle, root, child, &tree, reterr);
        if (r == 0 && mount->kind != MOUNT_REMOUNT && mount->kind != MOUNT_BIND)
                r = note_dev(mount, tree, late, reterr);
        if (r == 0)
                r = set_late(mount, tree, late, reterr);
        if (r == 0 && mount->kept)
                late->kept[i] = take_fd(&tree);
        return r;
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

/* The mounts that are asked for at once, from the first of @mounts on; 0 when that one is made alone. */
static size_t count_ahead(const struct bundle_mount *mounts, size_t n) {
        size_t i;

        for (i = 0; i < AHEAD_MAX && i < n; i++)
                if (mounts[i].kind != MOUNT_BIND || mounts[i].kept || !mount_is_mapped(&mounts[i]) ||
                    !independent(&mounts[i]))
                        break;
        return i > 1 ? i : 0;
}

int init_mounts(const struct bundle *bundle, int root, struct initsync_child *child, struct init_late *ret_late,
                struct initsync_error *reterr) {
        const struct bundle_mount *mounts = bundle->mounts;
        size_t i, n, failed;
        int r;

        ret_late->trees = calloc(bundle->n_mounts + 1, sizeof(*ret_late->trees));
        ret_late->kept = calloc(bundle->n_mounts + 1, sizeof(*ret_late->kept));
        if (!ret_late->trees || !ret_late->kept)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (; ret_late->n_kept < bundle->n_mounts; ret_late->n_kept++)
                ret_late->kept[ret_late->n_kept] = -1;
        for (i = 0; i < bundle->n_mounts; i += n ? n : 1) {
                n = count_ahead(&mounts[i], bundle->n_mounts - i);
                failed = 0;
                if (n > 0)
                        r = make_ahead(&mounts[i], n, root, child, &failed, reterr);
                else
                        r = make_one(bundle, i, root, child, ret_late, reterr);
                if (r < 0) {
                        fault_in(reterr, "config.json: mounts[%zu]", mounts[i + failed].index);
                        reterr->mount = (int32_t)mounts[i + failed].index;
                        return r;
                }
        }
        return dev_populate(bundle, root, ret_late->dev, reterr);
}

int init_finish(const struct bundle *bundle, int root, const struct init_late *late, struct initsync_error *reterr) {
        const struct mount_attributes read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        size_t i;
        int r;

        for (i = 0; i < late->n; i++) {
                r = tree_set(late->trees[i], false, &read_only, "a read-only file system", reterr);
                if (r < 0)
                        return r;
        }
        return mask_paths(bundle, root, reterr);
}

void init_late_free(struct init_late *late) {
        while (late->n > 0)
                fd_closep(&late->trees[--late->n]);
        fd_closep(&late->dev);
        while (late->n_kept > 0)
                fd_closep(&late->kept[--late->n_kept]);
        free(late->kept);
        free(late->trees);
}
