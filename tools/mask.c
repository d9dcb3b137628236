/* SPDX-License-Identifier: MIT */
#include "cleanup.h"
#include "dev.h"
#include "kernel.h"
#include "mask.h"
#include "mount_type.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"

/* What paths are covered with, made when first needed. */
struct covers {
        int null, directory;
        bool attached;          /* the directory's tree is in place somewhere, and can be cloned on every kernel */
};

static void covers_closep(struct covers *covers) {
        fd_closep(&covers->null);
        fd_closep(&covers->directory);
}

/* Returns 0 and -1 in *@ret_fd for a path that is not there, where nothing is to be done. */
static int find(int root, const char *path, int *ret_fd, struct initsync_error *reterr) {
        int fd = rootfs_resolve(root, path);

        *ret_fd = -1;
        if (fd == -ENOENT || fd == -ENOTDIR)
                return 0;
        if (fd < 0)
                return fault_call(reterr, fd, "openat2", path);
        if (rootfs_same(fd, root)) {
                fd_closep(&fd);
                return fault(reterr, -EBUSY, "%s: leads to the root file system itself", path);
        }
        *ret_fd = fd;
        return 0;
}

/*
 * Attaches @tree, and looks whether it is what stands at @path now: another container that shares the directory could have
 * put something else there since it was resolved (CVE-2025-31133, CVE-2025-52565).
 */
static int cover(int root, const char *path, int target, int tree, struct initsync_error *reterr) {
        _cleanup_fd_ int now = -1;
        int r;

        r = tree_attach(tree, target, reterr);
        if (r < 0)
                return r;
        now = rootfs_resolve(root, path);
        if (now < 0)
                return fault_call(reterr, now, "openat2", path);
        return rootfs_same(now, tree) ? 0 : fault(reterr, -EAGAIN, "%s: was exchanged meanwhile", path);
}

static int make_read_only(int root, const char *path, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .attr_set = MOUNT_ATTR_RDONLY };
        _cleanup_fd_ int target = -1, tree = -1;
        int r;

        r = find(root, path, &target, reterr);
        if (r < 0 || target < 0)
                return r;
        r = tree_clone(target, true, path, &tree, reterr);
        if (r == 0)
                r = tree_set(tree, false, &attr, path, reterr);
        return r < 0 ? r : cover(root, path, target, tree, reterr);
}

static int clone_null(struct covers *covers, int *ret_tree, struct initsync_error *reterr) {
        static const struct mount_attributes readonly = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
        int r = covers->null < 0 ? dev_open_null(&covers->null, reterr) : 0;

        if (r < 0)
                return r;
        r = tree_clone(covers->null, false, "/dev/null", ret_tree, reterr);
        if (r < 0)
                return r;
        /* It is the host's: its owner and its mode are not the container's to change. A read-only device takes writes all the same. */
        return tree_set(*ret_tree, false, &readonly, "/dev/null", reterr);
}

/* One empty file system for all. A detached mount can be cloned only from Linux 6.15 on: the first use is no clone. */
static int clone_directory(struct covers *covers, int *ret_tree, struct initsync_error *reterr) {
        static const char *const data[] = { "nr_blocks=1", "nr_inodes=1", "mode=0555" };
        const uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        int r = 0;

        if (covers->directory < 0)
                r = mount_type_open("tmpfs", "tmpfs", data, 3, true, attributes, &covers->directory, reterr);
        if (r < 0)
                return r;
        if (covers->attached)
                return tree_clone(covers->directory, false, "tmpfs", ret_tree, reterr);
        covers->attached = true;
        *ret_tree = fcntl(covers->directory, F_DUPFD_CLOEXEC, 3);
        return *ret_tree < 0 ? fault_call(reterr, -errno, "fcntl", "tmpfs") : 0;
}

static int mask(struct covers *covers, int root, const char *path, struct initsync_error *reterr) {
        _cleanup_fd_ int target = -1, tree = -1;
        struct statx st;
        int r;

        r = find(root, path, &target, reterr);
        if (r < 0 || target < 0)
                return r;
        if (statx(target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return fault_call(reterr, -errno, "statx", path);
        r = S_ISDIR(st.stx_mode) ? clone_directory(covers, &tree, reterr) : clone_null(covers, &tree, reterr);
        return r < 0 ? r : cover(root, path, target, tree, reterr);
}

int mask_paths(const struct bundle *bundle, int root, struct initsync_error *reterr) {
        _cleanup_(covers_closep) struct covers covers = { -1, -1, false };
        size_t i;

        for (i = 0; bundle->readonly && bundle->readonly[i]; i++)
                if (make_read_only(root, bundle->readonly[i], reterr) < 0)
                        return fault_in(reterr, "config.json: linux.readonlyPaths[%zu]", i);
        for (i = 0; bundle->masked && bundle->masked[i]; i++)
                if (mask(&covers, root, bundle->masked[i], reterr) < 0)
                        return fault_in(reterr, "config.json: linux.maskedPaths[%zu]", i);
        return 0;
}
