/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"

#define RESOLVE_TRIES 128       /* a rename anywhere on the system can make openat2() give up with EAGAIN */
#define LINKS_MAX 40            /* as many as the kernel follows */

int rootfs_isolate(uint64_t propagation, struct initsync_error *reterr) {
        /*
         * Slave at least, also for "private": that is said of the root file system alone, and while any mount here is
         * shared, what is mounted on it appears outside.
         */
        unsigned long flags = propagation == (MS_PRIVATE | MS_REC) ? MS_PRIVATE | MS_REC : MS_SLAVE | MS_REC;

        /* What is mounted on a shared bind mount is to appear outside: only the root file system is cut off. */
        if (propagation & MS_SHARED)
                return 0;
        return mount(NULL, "/", NULL, flags, NULL) < 0 ? fault_call(reterr, -errno, "mount", "/") : 0;
}

/* Cuts off the mount in which @directory lies: also pivot_root() refuses to leave a shared one. */
static int make_parent_private(int directory, const char *path, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .propagation = MS_PRIVATE };
        _cleanup_fd_ int at = fcntl(directory, F_DUPFD_CLOEXEC, 3);
        struct statx st;
        int up;

        for (;;) {
                if (at < 0 || statx(at, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                        return fault_call(reterr, -errno, "statx", path);
                if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
                        return tree_set(at, false, &attr, path, reterr);
                up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (up >= 0 && rootfs_same(up, at)) {
                        fd_closep(&up);
                        return fault(reterr, -EINVAL, "%s: the root directory here is no mount point", path);
                }
                fd_closep(&at);
                at = up;
        }
}

/* However it is spelled or mounted: what is made in there is made for the host, and where it is mounted, on it. */
static int refuse_host(int directory, const char *path, struct initsync_error *reterr) {
        struct stat host, st;

        if (stat("/", &host) < 0 || fstat(directory, &st) < 0)
                return fault_call(reterr, -errno, "stat", path);
        if (st.st_dev == host.st_dev && st.st_ino == host.st_ino)
                return fault(reterr, -EINVAL, "%s: the host's root directory", path);
        return 0;
}

int rootfs_open(const char *path, int given, uint64_t propagation, int *ret_fd, struct initsync_error *reterr) {
        const struct mount_attributes slave = { .propagation = MS_SLAVE };
        _cleanup_fd_ int directory = -1, tree = given;
        int r;

        directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return fault_call(reterr, -errno, "open", path);
        r = refuse_host(directory, path, reterr);
        if (r < 0)
                return r;
        r = propagation & MS_SHARED ? make_parent_private(directory, path, reterr) : 0;
        if (r == 0)
                r = tree_begin(directory, path, reterr);
        if (r == 0 && tree < 0)
                r = tree_clone(directory, true, path, &tree, reterr);
        if (r == 0 && (propagation & MS_SHARED))
                r = tree_set(tree, true, &slave, path, reterr);
        if (r < 0)
                return r;
        r = tree_attach(tree, directory, reterr);
        if (r < 0)
                return fault_in(reterr, "%s", path);
        *ret_fd = take_fd(&tree);
        return 0;
}

void rootfs_undo(int root) {
        _cleanup_fd_ int now = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        /* All that others have in this mount namespace may be mounted on it by then. */
        if (now >= 0 && !rootfs_same(now, root) && fchdir(root) == 0)
                umount2(".", MNT_DETACH);
}

int rootfs_resolve(int root, const char *path) {
        int tries, fd;

        for (tries = 0, fd = -EAGAIN; fd == -EAGAIN && tries < RESOLVE_TRIES; tries++)
                fd = kernel_openat2(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        return fd;
}

const char *rootfs_inside(int root, const char *path) {
        struct stat want, seen;
        char prefix[PATH_MAX];
        const char *rest = path;

        if (fstat(root, &want) < 0)
                return NULL;
        while (*rest) {
                rest += strspn(rest, "/");
                rest += strcspn(rest, "/");
                if ((size_t)snprintf(prefix, sizeof(prefix), "%.*s", (int)(rest - path), path) >= sizeof(prefix) ||
                    stat(prefix, &seen) < 0)
                        return NULL;
                /* At once out of it again: beside the root file system, by no name of the image's. */
                if (seen.st_dev == want.st_dev && seen.st_ino == want.st_ino &&
                    !(strncmp(rest, "/..", 3) == 0 && (rest[3] == '/' || rest[3] == '\0')))
                        return rest[0] ? rest : "/";
        }
        return NULL;
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

static int create_path(int root, const char *path, bool directory, int depth);

/*
 * What the symlink @name in @at, whose path is @path, points to inside the root, where that is missing; images have such
 * links, as /var/run to /run. -EINVAL: it is no symlink.
 */
static int create_target(int root, int at, const char *name, const char *path, bool directory, int depth) {
        char target[PATH_MAX], joined[2 * PATH_MAX];
        ssize_t n = readlinkat(at, name, target, sizeof(target) - 1);

        if (n < 0)
                return errno == ENOENT ? -EINVAL : -errno;
        if (depth >= LINKS_MAX)
                return -ELOOP;
        target[n] = '\0';
        snprintf(joined, sizeof(joined), "%.*s/%s", target[0] == '/' ? 0 : (int)(strrchr(path, '/') - path), path, target);
        return create_path(root, joined, directory, depth + 1);
}

/*
 * What exists is resolved from the root each time, since a symlink may lead anywhere inside it; from the first missing
 * component on, everything is made on the descriptor of its parent.
 */
static int create_path(int root, const char *path, bool directory, int depth) {
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
                if (fd == -ENOENT && !creating) {
                        fd = create_target(root, at, part, prefix, directory || next, depth);
                        creating = fd == -EINVAL;
                }
                if (creating)
                        fd = create(at, part, directory || next);
                fd_closep(&at);
                at = fd;
        }
        return at;
}

int rootfs_ordinary(int root, const char *path, int fd) {
        _cleanup_fd_ int plain = -1;

        plain = kernel_openat2(root, path, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
        if (plain < 0)
                return plain;
        return rootfs_same(plain, fd) ? 0 : -ELOOP;
}

bool rootfs_same(int a, int b) {
        struct statx x, y;

        return statx(a, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &x) == 0 &&
               statx(b, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &y) == 0 &&
               x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id;
}

int rootfs_make(int root, const char *path, bool directory, int *ret_fd, struct initsync_error *reterr) {
        int fd, made = 0;

        fd = rootfs_resolve(root, path);
        if (fd == -ENOENT) {
                made = 1;
                fd = create_path(root, path, directory, 0);
                if (fd < 0)
                        return fault_call(reterr, fd, directory ? "mkdirat" : "openat", path);
        }
        if (fd < 0)
                return fault_call(reterr, fd, "openat2", path);
        *ret_fd = fd;
        return made;
}

int rootfs_mount_point(int root, const char *path, bool directory, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        int r;

        r = rootfs_make(root, path, directory, &fd, reterr);
        if (r < 0)
                return r;
        /* Over the root itself, later mounts would go below it, and pivot_root() would bring up what lies underneath. */
        if (rootfs_same(fd, root))
                return fault(reterr, -EBUSY, "%s: leads to the root file system itself, which is no mount point", path);
        *ret_fd = take_fd(&fd);
        return r;
}

static int detach(int old, struct initsync_error *reterr) {
        if (fchdir(old) < 0)
                return fault_call(reterr, -errno, "fchdir", "old root");
        /* Unless it is a slave or private since rootfs_isolate(), the host would see this. */
        if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
                return fault_call(reterr, -errno, "mount", "old root");
        return umount2(".", MNT_DETACH) < 0 ? fault_call(reterr, -errno, "umount2", "old root") : 0;
}

int rootfs_pivot(int root, uint64_t propagation, bool readonly, struct initsync_error *reterr) {
        const struct mount_attributes read_only = { .attr_set = MOUNT_ATTR_RDONLY };
        _cleanup_fd_ int old = -1;
        int r;

        /* Before /proc is the image's, by which mount(2) would have to be told. */
        r = readonly ? tree_set(root, false, &read_only, "root file system", reterr) : 0;
        if (r < 0)
                return r;
        old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (old < 0)
                return fault_call(reterr, -errno, "open", "/");
        if (fchdir(root) < 0)
                return fault_call(reterr, -errno, "fchdir", "root file system");
        /* The old root is then mounted on top of the new one: nothing has to be made for it inside. */
        r = kernel_pivot_root(".", ".");
        if (r < 0)
                return fault_call(reterr, r, "pivot_root", "root file system");
        r = detach(old, reterr);
        if (r < 0) {
                /* In a mount namespace that exists, others have it for their root directory. */
                if (fchdir(old) == 0)
                        kernel_pivot_root(".", ".");
                return r;
        }
        if (chdir("/") < 0)
                return fault_call(reterr, -errno, "chdir", "/");
        propagation &= MS_PRIVATE | MS_SHARED | MS_UNBINDABLE;
        if (propagation && mount(NULL, "/", NULL, propagation, NULL) < 0)
                return fault_call(reterr, -errno, "mount", "/");
        return 0;
}
