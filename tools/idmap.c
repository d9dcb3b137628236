/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <initsync.h>
#include "cleanup.h"
#include "commands.h"
#include "kernel.h"
#include "options.h"
#include "say.h"

struct map {
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX];
        size_t n;
};

static int parse_map(const char *option, const char *text, struct map *map) {
        struct initsync_error error;
        int r;

        r = initsync_idmap_parse(text, map->extents, INITSYNC_IDMAP_MAX, &map->n, &error);
        if (r < 0)
                say("idmap: %s: %s", option, error.text);
        return r;
}

/* The library wants to know from where a path counts. */
static int absolute(const char *path, char **ret_path, struct initsync_error *reterr) {
        _cleanup_free_ char *directory = NULL;

        if (path[0] != '/') {
                directory = getcwd(NULL, 0);
                if (!directory)
                        return fault_call(reterr, -errno, "getcwd", path);
        }
        if (asprintf(ret_path, "%s%s%s", directory ? directory : "", directory ? "/" : "", path) < 0)
                return fault_call(reterr, -ENOMEM, "asprintf", path);
        return 0;
}

static int mount_mapped(struct initsync_mount *mount, const char *source, const char *target,
                        struct initsync_error *reterr) {
        _cleanup_fd_ int source_fd = -1, target_fd = -1;
        _cleanup_free_ char *path = NULL;
        int r;

        r = absolute(source, &path, reterr);
        if (r < 0)
                return r;
        mount->source = path;
        r = initsync_mount_open(mount, &source_fd, reterr);
        if (r < 0)
                return r;
        target_fd = kernel_openat2(AT_FDCWD, target, O_PATH, RESOLVE_NO_MAGICLINKS);
        if (target_fd < 0)
                return fault_call(reterr, target_fd, "openat2", target);
        r = initsync_attach(source_fd, target_fd, reterr);
        return r < 0 ? fault_in(reterr, "%s", target) : 0;
}

int idmap_main(const struct options *options) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error;
        struct map uids, gids;

        if (parse_map("--map-uids", options->map_uids, &uids) < 0 || parse_map("--map-gids", options->map_gids, &gids) < 0)
                return 2;
        mount.uids = uids.extents;
        mount.n_uids = uids.n;
        mount.gids = gids.extents;
        mount.n_gids = gids.n;
        if (options->recursive)
                mount.flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
        if (mount_mapped(&mount, options->args[0], options->args[1], &error) < 0) {
                say("%s", error.text);
                return 1;
        }
        return 0;
}
