/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/error.h"
#include "base/idmap.h"
#include "mount/request.h"

#define PATH_MOST 4095
#define ALL_FLAGS                                                                                                       \
        (INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE | INITSYNC_MOUNT_ATTR_RECURSIVE | INITSYNC_MOUNT_MAGICLINK | \
         INITSYNC_MOUNT_AUTOMOUNT | INITSYNC_MOUNT_CHILD_VIEW)

static int wrong(struct initsync_error *reterr, const char *field, const char *expected) {
        return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL, "mount: %s: expected %s", field, expected);
}

static int check_maps(const struct initsync_mount *mount, struct initsync_error *reterr) {
        int r;

        if (!mount->n_uids != !mount->n_gids)
                return wrong(reterr, "uids and gids", "both or neither");
        if (mount->n_uids == 0)
                return 0;
        if (!mount->uids || !mount->gids)
                return wrong(reterr, "uids and gids", "as many extents as n_uids and n_gids say");
        r = idmap_check(mount->uids, mount->n_uids, "mount: uids", reterr);
        return r < 0 ? r : idmap_check(mount->gids, mount->n_gids, "mount: gids", reterr);
}

int request_check(const struct initsync_mount *mount, enum request_for use, struct initsync_error *reterr) {
        if (mount->size != sizeof(*mount))
                return wrong(reterr, "size", "what INITSYNC_MOUNT_INIT sets");
        if (mount->flags & ~(uint64_t)ALL_FLAGS)
                return wrong(reterr, "flags", "known bits only");
        if (!mount->source || mount->source[0] != '/' || strlen(mount->source) > PATH_MOST)
                return wrong(reterr, "source", "an absolute path of 1 to 4095 bytes");
        if (mount->destination && strlen(mount->destination) > PATH_MOST)
                return wrong(reterr, "destination", "a path of at most 4095 bytes");
        if (mount->userns_path && strlen(mount->userns_path) > PATH_MOST)
                return wrong(reterr, "userns_path", "a path of at most 4095 bytes");
        if (mount->source_fd >= 0 && use != REQUEST_LIST)
                return wrong(reterr, "source_fd", "-1 here");
        if (mount->userns_fd >= 0 && use == REQUEST_CHILD)
                return wrong(reterr, "userns_fd", "-1 here");
        if (mount->userns_path && use != REQUEST_CHILD && mount->userns_fd < 0)
                return wrong(reterr, "userns_path", "a userns_fd with it");
        return check_maps(mount, reterr);
}

void request_fill(struct source_request *request, const struct initsync_mount *mount) {
        *request = (struct source_request){
                .path = mount->source,
                .flags = mount->flags,
                .attr_set = mount->attr_set,
                .attr_clr = mount->attr_clr,
                .propagation = mount->propagation,
                .userns_fd = -1,
                .source_fd = -1,
                .any_view = (mount->flags & (INITSYNC_MOUNT_MAGICLINK | INITSYNC_MOUNT_CHILD_VIEW)) != 0,
        };
}

static const char *const calls[] = {
        [SOURCE_NONE] = "",
        [SOURCE_SETNS] = "setns",
        [SOURCE_OPEN_ROOT] = "openat2",
        [SOURCE_OPENAT2] = "openat2",
        [SOURCE_FCNTL] = "fcntl",
        [SOURCE_COMPARE] = "statx",
        [SOURCE_PPOLL] = "ppoll",
        [SOURCE_FCHDIR] = "fchdir",
        [SOURCE_SOCKETPAIR] = "socketpair",
        [SOURCE_CLONE] = "clone",
        [SOURCE_LISTMOUNT] = "listmount",
        [SOURCE_OPEN_TREE] = "open_tree",
        [SOURCE_OPEN_TREE_ATTR] = "open_tree_attr",
        [SOURCE_MOUNT_SETATTR] = "mount_setattr",
        [SOURCE_SENDMSG] = "sendmmsg",
};

static const char *hint(const struct source_result *result, const struct source_request *request) {
        switch (result->call) {
        case SOURCE_SETNS:
                return result->error == -EPERM
                               ? " (to join a mount namespace takes CAP_SYS_ADMIN in the user namespace that owns it)" : "";
        case SOURCE_OPENAT2:
                if (result->error == -ELOOP)
                        return " (too many symlinks, or a magic link of /proc, which is not followed here)";
                return result->error == -EAGAIN ? " (paths are renamed faster than they can be resolved)" : "";
        case SOURCE_OPEN_TREE:
                if (result->error != -EINVAL)
                        return "";
                return request->flags & INITSYNC_MOUNT_RECURSIVE
                               ? " (an unbindable mount)"
                               : " (unbindable, or it has locked mounts below it and must be cloned recursively)";
        default:
                return "";
        }
}

static int map_refused(const struct source_result *result, const char *path, struct initsync_error *reterr) {
        const char *call = calls[result->call];

        if (result->error == -EOPNOTSUPP)
                return error_set(reterr, result->error, INITSYNC_STAGE_MOUNT, call, path,
                                 "%s %s: id-mapped already, only open_tree_attr(2) of Linux 6.15 can map it anew, and in a recursive "
                                 "clone only all of it", call, path);
        if (result->error == -EINVAL && result->type[0])
                return error_set(reterr, result->error, INITSYNC_STAGE_MOUNT, call, path,
                                 "%s %s: %s mounted at %s takes no id mapping", call, path, result->type, result->point);
        if (result->error == -EINVAL)
                return error_set(reterr, result->error, INITSYNC_STAGE_MOUNT, call, path,
                                 "%s %s: its file system, or one mounted below it, takes no id mapping", call, path);
        return error_set(reterr, result->error, INITSYNC_STAGE_MOUNT, call, path, "%s %s: id mapping%s", call, path,
                         result->error != -EPERM ? "" : result->call == SOURCE_OPEN_TREE_ATTR
                         ? " (needs CAP_SYS_ADMIN over the file system's and the map's user namespace)"
                         : " (id-mapped already, or no CAP_SYS_ADMIN over the file system's and the map's user namespace)");
}

int request_error(const struct source_result *result, const struct source_request *request, const char *path,
                  struct initsync_error *reterr) {
        const char *call = calls[result->call];

        if (result->mapping)
                return map_refused(result, path, reterr);
        if (result->error == -E2BIG && result->call == SOURCE_LISTMOUNT)
                return error_say(reterr, result->error, INITSYNC_STAGE_MOUNT, call, path,
                                 "%s: %u mounts or more to clone, at most 10000 are", path, result->mounts);
        if (result->call == SOURCE_COMPARE && result->error == -EACCES)
                return error_say(reterr, result->error, INITSYNC_STAGE_POLICY, call, path,
                                 "%s is not what the runtime sees there: something else was mounted in the child's namespace", path);
        if (result->call == SOURCE_OPEN_ROOT)
                return error_set(reterr, result->error, INITSYNC_STAGE_MOUNT, call, request->rootfs,
                                 "openat2 %s: the root file system that %s lies in", request->rootfs, path);
        return error_set(reterr, result->error, INITSYNC_STAGE_MOUNT, call, path, "%s %s%s", call, path, hint(result, request));
}
