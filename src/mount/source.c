/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include "kernel/syscalls.h"
#include "mount/culprit.h"
#include "mount/source.h"

/*
 * openat2() gives up with EAGAIN when something was renamed meanwhile and it could not be sure to have stayed inside. A child
 * that renames all the time must not keep us busy for ever; the longest honest run is far below this.
 */
#define RETRIES 128

RAW static int open_path(int dirfd, const char *path, uint64_t flags, uint64_t resolve) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC | flags, .resolve = resolve };
        int fd, tries = 0;

        do
                fd = sys_openat2(dirfd, path, &how);
        while (fd == -EINTR || (fd == -EAGAIN && ++tries < RETRIES));
        return fd;
}

/* Inside the root file system an image's symlink must not name a host file, so that root is where resolution ends. */
RAW static int resolve_in_root(const struct source_request *request, uint64_t flags, struct source_result *result) {
        int root, fd;

        root = open_path(AT_FDCWD, request->rootfs, O_DIRECTORY, SYS_RESOLVE_NO_MAGICLINKS);
        if (root < 0)
                return source_fail(result, root, SOURCE_OPEN_ROOT);
        fd = open_path(root, request->path[0] ? request->path : "/", flags, SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_MAGICLINKS);
        sys_close(root);
        return fd < 0 ? source_fail(result, fd, SOURCE_OPENAT2) : fd;
}

RAW int source_resolve(const struct source_request *request, struct source_result *result) {
        /* With O_DIRECTORY the kernel mounts an automount point; without it an O_PATH open leaves it alone. */
        uint64_t flags = request->flags & INITSYNC_MOUNT_AUTOMOUNT ? O_DIRECTORY : 0;
        int fd;

        if (request->source_fd >= 0) {
                fd = sys_fcntl(request->source_fd, F_DUPFD_CLOEXEC, 3);
                return fd < 0 ? source_fail(result, fd, SOURCE_FCNTL) : fd;
        }
        if (request->rootfs)
                return resolve_in_root(request, flags, result);
        fd = open_path(AT_FDCWD, request->path, flags,
                       request->flags & INITSYNC_MOUNT_MAGICLINK ? 0 : SYS_RESOLVE_NO_MAGICLINKS);
        return fd < 0 ? source_fail(result, fd, SOURCE_OPENAT2) : fd;
}

RAW static int is_empty(const struct sys_mount_attr *attr) {
        return !attr->attr_set && !attr->attr_clr && !attr->propagation;
}

RAW static void add_attr(struct sys_mount_attr *to, const struct source_request *request) {
        to->attr_set |= request->attr_set;
        to->attr_clr |= request->attr_clr;
        to->propagation |= request->propagation;
}

RAW static void add_map(struct sys_mount_attr *to, const struct source_request *request) {
        to->attr_set |= SYS_MOUNT_ATTR_IDMAP;
        to->userns_fd = (uint64_t)request->userns_fd;
}

/*
 * A recursive clone may want its id mapping or its attributes on the top mount only. One call of open_tree_attr() sets the same
 * on all it clones, so that what differs is left for a second call.
 */
RAW static void split(const struct source_request *request, struct sys_mount_attr *with_clone, struct sys_mount_attr *top) {
        int single = !(request->flags & INITSYNC_MOUNT_RECURSIVE);

        if (request->userns_fd >= 0)
                add_map(single || request->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE ? with_clone : top, request);
        add_attr(single || request->flags & INITSYNC_MOUNT_ATTR_RECURSIVE ? with_clone : top, request);
}

RAW static int set_attr(int tree, unsigned flags, const struct sys_mount_attr *attr, struct source_result *result) {
        int r;

        if (is_empty(attr))
                return 0;
        r = sys_mount_setattr(tree, "", SYS_AT_EMPTY_PATH | flags, attr);
        if (r < 0) {
                result->mapping = (attr->attr_set & SYS_MOUNT_ATTR_IDMAP) != 0;
                return source_fail(result, r, SOURCE_MOUNT_SETATTR);
        }
        return 0;
}

/* The newest call first: it alone can map a source that is id-mapped already, and one call is less than two. */
RAW static int clone_with(int fd, unsigned flags, const struct sys_mount_attr *attr, struct source_result *result) {
        unsigned clone = SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC | SYS_AT_EMPTY_PATH | SYS_AT_NO_AUTOMOUNT | flags;
        int tree, r;

        if (!is_empty(attr)) {
                tree = sys_open_tree_attr(fd, "", clone, attr);
                if (tree >= 0)
                        return tree;
                if (tree != -ENOSYS && tree != -EPERM) {        /* a filter around us may answer either */
                        result->mapping = (attr->attr_set & SYS_MOUNT_ATTR_IDMAP) != 0;
                        return source_fail(result, tree, SOURCE_OPEN_TREE_ATTR);
                }
        }
        tree = sys_open_tree(fd, "", clone);
        if (tree < 0)
                return source_fail(result, tree, SOURCE_OPEN_TREE);
        r = set_attr(tree, flags, attr, result);
        if (r < 0) {
                sys_close(tree);
                return r;
        }
        return tree;
}

RAW int source_clone(int fd, const struct source_request *request, struct source_result *result) {
        struct sys_mount_attr with_clone = { 0, 0, 0, 0 }, top = { 0, 0, 0, 0 };
        unsigned flags = request->flags & INITSYNC_MOUNT_RECURSIVE ? SYS_AT_RECURSIVE : 0;
        int tree, r;

        if (flags && !request->counted) {
                r = culprit_count(fd, MOUNTS_MAX);
                if (r > MOUNTS_MAX) {
                        result->mounts = (unsigned)r;
                        return source_fail(result, -E2BIG, SOURCE_LISTMOUNT);
                }
        }
        split(request, &with_clone, &top);
        tree = clone_with(fd, flags, &with_clone, result);
        if (tree < 0)
                return tree;
        r = set_attr(tree, 0, &top, result);
        if (r < 0) {
                sys_close(tree);
                return r;
        }
        return tree;
}

RAW int source_recount(int fd, const char *path, struct source_request *request, struct source_result *result) {
        int n = path ? culprit_count_below(fd, path, MOUNTS_MAX) : -EINVAL;

        if (n < 0 || n > MOUNTS_MAX)
                return 0;
        request->counted = 1;
        result->error = 0;
        result->call = SOURCE_NONE;
        return 1;
}

#define TRIED_WITH 64   /* mounts, itself included */

RAW static int plain_clone(int fd, unsigned flags) {
        flags |= SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC | SYS_AT_EMPTY_PATH | SYS_AT_NO_AUTOMOUNT;
        return sys_open_tree(fd, "", flags);
}

RAW int source_can_clone(int fd, const struct source_request *request) {
        int tree = plain_clone(fd, request->flags & INITSYNC_MOUNT_RECURSIVE ? SYS_AT_RECURSIVE : 0);

        if (tree >= 0)
                sys_close(tree);
        return tree >= 0;
}

/*
 * A mount with others locked on it is cloned with these only, and -EINVAL of that is nothing that the mapping did. There may
 * be thousands, of which each is tried: one with many below it is left out, or a child could have all their pairs cloned.
 */
RAW int source_try_map(int fd, int userns_fd) {
        struct sys_mount_attr attr = { SYS_MOUNT_ATTR_IDMAP, 0, 0, (uint64_t)userns_fd };
        struct source_result unused;
        int r, tree = clone_with(fd, 0, &attr, &unused);

        r = tree;
        if (tree == -EINVAL) {
                tree = culprit_count(fd, TRIED_WITH) > TRIED_WITH ? -E2BIG : plain_clone(fd, SYS_AT_RECURSIVE);
                if (tree < 0)
                        return -ENOENT;
                r = set_attr(tree, 0, &attr, &unused);
        }
        if (tree >= 0)
                sys_close(tree);
        return r < 0 ? r : 0;
}
