/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "mount/overlay_layers.h"

int overlay_layers_failed(int r, const char *call, const char *path, struct initsync_error *reterr) {
        return error_set(reterr, r, INITSYNC_STAGE_MOUNT, call, path, "overlay: %s%s%s", call, path ? " of " : "", path ? path : "");
}

static int clone_layer(const struct layers *layers, const char *path, int *ret_fd, struct initsync_error *reterr) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = path;
        mount.userns_fd = layers->userns;
        return initsync_mount_open(&mount, ret_fd, reterr);
}

static int clone_lower(struct layers *layers, struct initsync_error *reterr) {
        size_t i;
        int r = 0;

        for (i = 0; r >= 0 && i < layers->overlay->n_lower; i++) {
                r = clone_layer(layers, layers->overlay->lower[i], &layers->lower[i], reterr);
                if (r < 0)
                        error_prefix(reterr, "overlay: lower[%zu]", i);
        }
        return r;
}

/* Up to the last '/' that they share. */
size_t overlay_layers_common(const struct initsync_overlay *overlay) {
        const char *a = overlay->upper, *b = overlay->work;
        size_t i, last = 0;

        for (i = 0; a[i] && a[i] == b[i]; i++)
                if (a[i] == '/')
                        last = i;
        return last ? last : 1;
}

/* A directory below the clone must be the one that the path names: a mount in between is not part of the clone. */
static int open_part(int clone, const char *path, size_t from, const char *name, int *ret_fd, struct initsync_error *reterr) {
        struct sys_open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = SYS_RESOLVE_BENEATH | SYS_RESOLVE_NO_XDEV };
        struct sys_statx wanted, got;
        _cleanup_fd_ int fd = -1;
        int r;

        while (path[from] == '/')
                from++;
        fd = sys_openat2(clone, path[from] ? path + from : ".", &how);
        if (fd < 0)
                return overlay_layers_failed(fd, "openat2", path, reterr);
        r = sys_statx(AT_FDCWD, path, SYS_AT_STATX_DONT_SYNC, SYS_STATX_INO, &wanted);
        if (r >= 0)
                r = sys_statx(fd, "", SYS_AT_EMPTY_PATH | SYS_AT_STATX_DONT_SYNC, SYS_STATX_INO, &got);
        if (r < 0)
                return overlay_layers_failed(r, "statx", path, reterr);
        if (wanted.ino != got.ino || wanted.dev_major != got.dev_major || wanted.dev_minor != got.dev_minor)
                return error_say(reterr, -EXDEV, INITSYNC_STAGE_MOUNT, "statx", path,
                                 "overlay: %s: %s: expected upper and work on one mount", name, path);
        *ret_fd = fd_take(&fd);
        return 0;
}

/* overlayfs renames from one to the other, which the kernel allows within one mount only, and a clone of each would be two. */
static int open_writable(struct layers *layers, struct initsync_error *reterr) {
        const struct initsync_overlay *overlay = layers->overlay;
        char path[PATH_MAX];
        size_t n;
        int r;

        if (!overlay->upper)
                return 0;
        n = overlay_layers_common(overlay);
        memcpy(path, overlay->upper, n);
        path[n] = '\0';
        r = clone_layer(layers, path, &layers->writable, reterr);
        if (r < 0) {
                error_prefix(reterr, "overlay: upper");
                return r;
        }
        r = open_part(layers->writable, overlay->upper, n, "upper", &layers->upper, reterr);
        return r < 0 ? r : open_part(layers->writable, overlay->work, n, "work", &layers->work, reterr);
}

int overlay_layers_open(struct layers *layers, const struct initsync_overlay *overlay, struct initsync_error *reterr) {
        size_t i;
        int r;

        *layers = (struct layers){ .overlay = overlay, .userns = -1, .writable = -1, .upper = -1, .work = -1 };
        layers->lower = malloc(overlay->n_lower * sizeof(*layers->lower));
        if (!layers->lower)
                return overlay_layers_failed(-ENOMEM, "malloc", NULL, reterr);
        for (i = 0; i < overlay->n_lower; i++)
                layers->lower[i] = -1;
        if (overlay->n_uids) {
                r = initsync_userns_open(overlay->uids, overlay->n_uids, overlay->gids, overlay->n_gids, &layers->userns, reterr);
                if (r < 0)
                        return r;
        }
        r = clone_lower(layers, reterr);
        return r < 0 ? r : open_writable(layers, reterr);
}

void overlay_layers_clear(struct layers *layers) {
        size_t i;

        for (i = 0; layers->lower && i < layers->overlay->n_lower; i++)
                fd_close(layers->lower[i]);
        free(layers->lower);
        fd_close(layers->work);
        fd_close(layers->upper);
        fd_close(layers->writable);
        fd_close(layers->userns);
}
