/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include "base/error.h"
#include "kernel/fd.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"
#include "mount/culprit.h"
#include "mount/request.h"
#include "mount/userns.h"

/* The directory that @fd names, for the search below it; this thread cannot ask by getcwd(2) as the mount task does. */
static const char *path_of(int fd, char *to, size_t size) {
        _cleanup_fd_ int procfs = procfs_open();
        char link[64];
        ssize_t n;

        if (procfs < 0)
                return NULL;
        snprintf(link, sizeof(link), "thread-self/fd/%d", fd);
        n = sys_readlinkat(procfs, link, to, size - 1);
        if (n <= 0 || to[0] != '/')
                return NULL;
        to[n] = '\0';
        return to;
}

static int userns_of(const struct initsync_mount *mount, struct initsync_error *reterr) {
        int fd, r;

        if (mount->userns_fd >= 0) {
                if (userns_check(mount->userns_fd) < 0)
                        return error_say(reterr, -EINVAL, INITSYNC_STAGE_USERNS, "ioctl", NULL,
                                         "mount: userns_fd: expected a user namespace");
                fd = fd_dup(mount->userns_fd);
                return fd < 0 ? error_set(reterr, fd, INITSYNC_STAGE_USERNS, "fcntl", NULL, "mount: userns_fd") : fd;
        }
        r = initsync_userns_open(mount->uids, mount->n_uids, mount->gids, mount->n_gids, &fd, reterr);
        return r < 0 ? r : fd;
}

PUBLIC int initsync_mount_open(const struct initsync_mount *mount, int *ret_fd, struct initsync_error *reterr) {
        struct source_result result = { .error = 0 };
        struct source_request request;
        _cleanup_fd_ int userns = -1, fd = -1;
        char path[4096];
        int tree, r = request_check(mount, REQUEST_HERE, reterr);

        if (r < 0)
                return r;
        request_fill(&request, mount);
        if (mount->n_uids || mount->userns_fd >= 0) {
                userns = userns_of(mount, reterr);
                if (userns < 0)
                        return userns;
                request.userns_fd = userns;
        }
        fd = source_resolve(&request, &result);
        if (fd < 0)
                return request_error(&result, &request, mount->source, reterr);
        tree = source_clone(fd, &request, &result);
        if (tree == -E2BIG && source_recount(fd, path_of(fd, path, sizeof(path)), &request, &result))
                tree = source_clone(fd, &request, &result);
        if (tree == -EINVAL && result.mapping)
                culprit_find(fd, &request, path_of(fd, path, sizeof(path)), &result);
        if (tree == -EPERM && result.mapping && culprit_is_mapped(fd))
                result.error = -EOPNOTSUPP;
        if (tree < 0)
                return request_error(&result, &request, mount->source, reterr);
        tree = fd_above_stdio(tree);
        if (tree < 0)
                return error_set(reterr, tree, INITSYNC_STAGE_MOUNT, "fcntl", mount->source, "%s", mount->source);
        *ret_fd = tree;
        return 0;
}
