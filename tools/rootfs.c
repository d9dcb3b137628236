/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "rootfs.h"
#include "say.h"

#define RESOLVE_TRIES 128       /* a rename anywhere on the system can make openat2() give up with EAGAIN */

int rootfs_isolate(uint64_t propagation, struct initsync_error *reterr) {
        /*
         * Slave at least, also for "private": that is said of the root file system alone, and while any mount here is
         * shared, what is mounted on it appears outside.
         */
        unsigned long flags = propagation == (MS_PRIVATE | MS_REC) ? MS_PRIVATE | MS_REC : MS_SLAVE | MS_REC;

        return mount(NULL, "/", NULL, flags, NULL) < 0 ? fault_call(reterr, -errno, "mount", "/") : 0;
}

int rootfs_open(const char *path, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int directory = -1, tree = -1;
        int r;

        directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return fault_call(reterr, -errno, "open", path);
        tree = kernel_clone_tree(directory, true);
        if (tree < 0)
                return fault_call(reterr, tree, "open_tree", path);
        r = initsync_attach(tree, directory, reterr);
        if (r < 0)
                return fault_in(reterr, "%s", path);
        *ret_fd = take_fd(&tree);
        return 0;
}

int rootfs_resolve(int root, const char *path) {
        int tries, fd;

        for (tries = 0, fd = -EAGAIN; fd == -EAGAIN && tries < RESOLVE_TRIES; tries++)
                fd = kernel_openat2(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        return fd;
}

/* Makes the one component @name in @parent and returns a descriptor of it, never through a symlink. */
static int create(int parent, const char *name, bool directory) {
        int fd;

        if (strcmp(name, "..") == 0)
                return -ENOENT;         /* of a directory that was not there a moment ago */
        if (directory) {
                if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
                        return -errno;
        } else {
                fd = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0644);
                if (fd < 0 && errno != EEXIST)
                        return -errno;
                fd_closep(&fd);
        }
        fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
        return fd < 0 ? -errno : fd;
}

/*
 * What exists is resolved from the root each time, since a symlink may lead anywhere inside it; from the first missing
 * component on, everything is made on the descriptor of its parent.
 */
static int create_path(int root, const char *path, bool directory) {
        char parts[PATH_MAX], prefix[PATH_MAX + 1], *part, *next, *rest;
        bool creating = false;
        size_t used = 0;
        int at, fd;

        if (strlen(path) >= sizeof(parts))
                return -ENAMETOOLONG;
        strcpy(parts, path);
        at = rootfs_resolve(root, ".");
        for (part = strtok_r(parts, "/", &rest); part && at >= 0; part = next) {
                next = strtok_r(NULL, "/", &rest);
                used += (size_t)sprintf(prefix + used, "/%s", part);
                fd = creating ? -ENOENT : rootfs_resolve(root, prefix);
                if (fd == -ENOENT) {
                        creating = true;
                        fd = create(at, part, directory || next);
                }
                fd_closep(&at);
                at = fd;
        }
        return at;
}

static bool same_place(int a, int b) {
        struct statx x, y;

        return statx(a, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &x) == 0 &&
               statx(b, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &y) == 0 &&
               x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id;
}

int rootfs_mount_point(int root, const char *path, bool directory, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;

        fd = rootfs_resolve(root, path);
        if (fd == -ENOENT) {
                fd = create_path(root, path, directory);
                if (fd < 0)
                        return fault_call(reterr, fd, directory ? "mkdirat" : "openat", path);
        }
        if (fd < 0)
                return fault_call(reterr, fd, "openat2", path);
        /* Over the root itself, later mounts would go below it, and pivot_root() would bring up what lies underneath. */
        if (same_place(fd, root))
                return fault(reterr, -EBUSY, "%s: leads to the root file system itself, which is no mount point", path);
        *ret_fd = take_fd(&fd);
        return 0;
}

int rootfs_pivot(int root, uint64_t propagation, bool readonly, struct initsync_error *reterr) {
        const struct mount_attributes read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        _cleanup_fd_ int old = -1;
        int r;

        old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (old < 0)
                return fault_call(reterr, -errno, "open", "/");
        if (fchdir(root) < 0)
                return fault_call(reterr, -errno, "fchdir", "root file system");
        /* The old root is then mounted on top of the new one: nothing has to be made for it inside. */
        r = kernel_pivot_root(".", ".");
        if (r < 0)
                return fault_call(reterr, r, "pivot_root", "root file system");
        if (fchdir(old) < 0)
                return fault_call(reterr, -errno, "fchdir", "old root");
        /* It is a slave or private since rootfs_isolate(): the host does not see this. */
        if (umount2(".", MNT_DETACH) < 0)
                return fault_call(reterr, -errno, "umount2", "old root");
        if (chdir("/") < 0)
                return fault_call(reterr, -errno, "chdir", "/");
        if ((propagation & MS_PRIVATE) && mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0)
                return fault_call(reterr, -errno, "mount", "/");
        if (readonly) {
                r = kernel_mount_setattr(root, false, &read_only);
                if (r < 0)
                        return fault_call(reterr, r, "mount_setattr", "root file system");
        }
        return 0;
}
