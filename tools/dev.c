/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "dev.h"
#include "kernel.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"

enum dev {
        DEV_IMAGE,      /* a directory of the image */
        DEV_BOUND,
        DEV_OWN
};

static const struct bundle_device defaults[] = {
        { .path = "/dev/null",    .mode = S_IFCHR | 0666, .major = 1, .minor = 3 },
        { .path = "/dev/zero",    .mode = S_IFCHR | 0666, .major = 1, .minor = 5 },
        { .path = "/dev/full",    .mode = S_IFCHR | 0666, .major = 1, .minor = 7 },
        { .path = "/dev/random",  .mode = S_IFCHR | 0666, .major = 1, .minor = 8 },
        { .path = "/dev/urandom", .mode = S_IFCHR | 0666, .major = 1, .minor = 9 },
        { .path = "/dev/tty",     .mode = S_IFCHR | 0666, .major = 5, .minor = 0 },
};
enum { N_DEFAULTS = sizeof(defaults) / sizeof(defaults[0]) };

int dev_is(const struct bundle_mount *mount) {
        _cleanup_free_ char *rest = NULL, *path = NULL;
        int r;

        if (asprintf(&path, "/%s", mount->want.destination) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = bundle_below(path, "/dev", &rest);
        return r > 0 ? strcmp(rest, "/") == 0 : r;
}

/* The last mount on /dev is the one that is seen; 0 or a negative errno. */
static int find_dev(const struct bundle *bundle, enum dev *ret) {
        size_t i;
        int r;

        *ret = DEV_IMAGE;
        for (i = 0; i < bundle->n_mounts; i++) {
                r = dev_is(&bundle->mounts[i]);
                if (r < 0)
                        return r;
                if (r > 0)
                        *ret = bundle->mounts[i].kind == MOUNT_BIND ? DEV_BOUND : DEV_OWN;
        }
        return 0;
}

static bool is_device(const struct stat *st, const struct bundle_device *device) {
        return (st->st_mode & S_IFMT) == (device->mode & S_IFMT) &&
               (S_ISFIFO(st->st_mode) || st->st_rdev == makedev(device->major, device->minor));
}

/* The host's device of the same path, where making one is not ours to do. */
static int bind_device(const struct bundle_device *device, int parent, const char *name, struct initsync_error *reterr) {
        static const struct mount_attributes readonly = {
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
        };
        _cleanup_fd_ int source = -1, tree = -1, target = -1;
        struct stat st;
        int r;

        source = kernel_openat2(AT_FDCWD, device->path, O_PATH, RESOLVE_NO_MAGICLINKS);
        if (source < 0) {
                fault_call(reterr, source, "openat2", device->path);
                return fault_in(reterr, "mknodat: Operation not permitted, and of the host's");
        }
        if (fstat(source, &st) < 0)
                return fault_call(reterr, -errno, "fstat", device->path);
        if (!is_device(&st, device))
                return fault(reterr, -ENODEV, "%s: mknodat: Operation not permitted, and on the host it is another file",
                             device->path);
        target = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0666);
        if (target < 0)
                return fault_call(reterr, -errno, "openat", device->path);
        fd_closep(&target);
        target = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (target < 0)
                return fault_call(reterr, -errno, "openat", device->path);
        r = tree_clone(source, false, device->path, &tree, reterr);
        /* Its owner and its mode are not the container's to change. A device takes writes all the same. */
        if (r == 0)
                r = tree_set(tree, false, &readonly, device->path, reterr);
        return r < 0 ? r : tree_attach(tree, target, reterr);
}

static int existing_device(const struct bundle_device *device, const struct stat *st, struct initsync_error *reterr) {
        if (is_device(st, device))
                return 0;
        return fault(reterr, -EEXIST, "%s: exists, and is not the device %u:%u", device->path, device->major,
                     device->minor);
}

/* @place is its path in @root, which may be our own /dev: that is not looked up again, where another may lie by now. */
static int make_device(const struct bundle_device *device, int root, const char *place, struct initsync_error *reterr) {
        const char *name = strrchr(place, '/') + 1;
        _cleanup_free_ char *path = strndup(place, (size_t)(name - place));
        _cleanup_fd_ int parent = -1;
        struct stat st;
        mode_t mask;
        int r;

        if (!path)
                return fault_call(reterr, -ENOMEM, "strndup", NULL);
        r = rootfs_make(root, path, true, &parent, reterr);
        if (r < 0)
                return r;
        mask = umask(0);
        r = mknodat(parent, name, device->mode, makedev(device->major, device->minor)) < 0 ? -errno : 0;
        umask(mask);
        if (r == -EEXIST)
                return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ?
                       fault_call(reterr, -errno, "fstatat", device->path) : existing_device(device, &st, reterr);
        if (r == -EPERM)
                return bind_device(device, parent, name, reterr);
        if (r < 0)
                return fault_call(reterr, r, "mknodat", device->path);
        if ((device->uid || device->gid) && fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_call(reterr, -errno, "fchownat", device->path);
        return 0;
}

/* Nothing is made in a /dev that is somebody else's too. */
static int find_device(const struct bundle_device *device, int root, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = rootfs_resolve(root, device->path);
        struct stat st;

        if (fd < 0) {
                fault_call(reterr, fd, "openat2", device->path);
                return fault_in(reterr, "/dev is a bind mount, which must have it");
        }
        return fstat(fd, &st) < 0 ? fault_call(reterr, -errno, "fstat", device->path) : existing_device(device, &st, reterr);
}

static int make_devices(const struct bundle *bundle, enum dev dev, int root, int own, struct initsync_error *reterr) {
        size_t i;
        int r;

        for (i = 0; i < bundle->n_devices; i++) {
                _cleanup_free_ char *below = NULL;

                r = bundle_below(bundle->devices[i].path, "/dev", &below);
                if (r < 0)
                        return fault_call(reterr, r, "malloc", NULL);
                if (below && dev == DEV_BOUND)
                        r = find_device(&bundle->devices[i], root, reterr);
                else if (below && dev == DEV_OWN)
                        r = make_device(&bundle->devices[i], own, below, reterr);
                else
                        r = make_device(&bundle->devices[i], root, bundle->devices[i].path, reterr);
                if (r < 0)
                        return fault_in(reterr, "config.json: linux.devices[%zu]", bundle->devices[i].index);
        }
        return 0;
}

static bool configured(const struct bundle *bundle, const char *path) {
        size_t i;

        for (i = 0; i < bundle->n_devices; i++)
                if (strcmp(bundle->devices[i].path, path) == 0)
                        return true;
        return false;
}

static int make_links(int dev, struct initsync_error *reterr) {
        static const char *const links[][2] = {
                { "fd",     "/proc/self/fd" },
                { "stdin",  "/proc/self/fd/0" },
                { "stdout", "/proc/self/fd/1" },
                { "stderr", "/proc/self/fd/2" },
                { "ptmx",   "pts/ptmx" },
                { "core",   "/proc/kcore" },
        };
        size_t i, n = sizeof(links) / sizeof(links[0]);

        if (access("/proc/kcore", F_OK) < 0)
                n--;
        for (i = 0; i < n; i++)
                if (symlinkat(links[i][1], dev, links[i][0]) < 0 && errno != EEXIST)
                        return fault_call(reterr, -errno, "symlinkat", links[i][0]);
        return 0;
}

/* By a symlink of the image another mount may have come to lie there, a directory of the host's. */
static int check_own(int root, int own, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = rootfs_resolve(root, "/dev");

        if (fd < 0)
                return fault_call(reterr, fd, "openat2", "/dev");
        return rootfs_same(fd, own) ? 0 :
               fault(reterr, -EBUSY, "/dev: another mount hides the one that config.json has there");
}

int dev_populate(const struct bundle *bundle, int root, int own, struct initsync_error *reterr) {
        enum dev dev;
        size_t i;
        int r;

        r = find_dev(bundle, &dev);
        if (r < 0)
                return fault_call(reterr, r, "malloc", NULL);
        r = dev == DEV_OWN ? check_own(root, own, reterr) : 0;
        if (r == 0)
                r = make_devices(bundle, dev, root, own, reterr);
        if (r < 0 || dev != DEV_OWN)
                return r;
        for (i = 0; r == 0 && i < N_DEFAULTS; i++)
                if (!configured(bundle, defaults[i].path))
                        r = make_device(&defaults[i], own, defaults[i].path + strlen("/dev"), reterr);
        return r < 0 ? r : make_links(own, reterr);
}

int dev_is_bound(const struct bundle *bundle, bool *ret) {
        enum dev dev;
        int r;

        r = find_dev(bundle, &dev);
        *ret = r == 0 && dev == DEV_BOUND;
        return r;
}

int dev_open_null(int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        struct stat st;

        fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fault_call(reterr, -errno, fd < 0 ? "open" : "fstat", "/dev/null");
        if (!is_device(&st, &defaults[0]))
                return fault(reterr, -ENODEV, "/dev/null: is not the null device");
        *ret_fd = take_fd(&fd);
        return 0;
}
