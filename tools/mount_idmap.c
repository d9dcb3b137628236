/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include "cleanup.h"
#include "kernel.h"
#include "mount_idmap.h"
#include "say.h"
#include "tree.h"

struct map {
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX];
        size_t n;
};

bool mount_is_mapped(const struct bundle_mount *mount) {
        return mount->want.n_uids > 0 || mount->want.userns_path;
}

/* Of the user namespace that this process is in: ids as seen here, and around it. */
static int read_own(const char *path, struct map *ret, struct initsync_error *reterr) {
        struct initsync_idmap *extent = ret->extents;
        FILE *file = fopen(path, "re");

        if (!file)
                return fault_call(reterr, -errno, "fopen", path);
        for (ret->n = 0; ret->n < INITSYNC_IDMAP_MAX; ret->n++, extent++)
                if (fscanf(file, "%u %u %u", &extent->inside, &extent->outside, &extent->count) != 3)
                        break;
        fclose(file);
        return 0;
}

static int put(struct map *to, uint32_t inside, uint32_t outside, uint32_t count) {
        if (to->n == INITSYNC_IDMAP_MAX)
                return -E2BIG;
        to->extents[to->n++] = (struct initsync_idmap){ inside, outside, count };
        return 0;
}

/* One extent with the host's ids outside, as one or several with those that they are @here. */
static int translate(struct initsync_idmap left, const struct map *here, struct map *to) {
        const struct initsync_idmap *extent;
        uint32_t offset, count;
        size_t i;
        int r = 0;

        while (r == 0 && left.count > 0) {
                for (i = 0; i < here->n; i++)
                        if (left.outside >= here->extents[i].outside &&
                            left.outside - here->extents[i].outside < here->extents[i].count)
                                break;
                if (i == here->n)
                        return -EPERM;
                extent = &here->extents[i];
                offset = left.outside - extent->outside;
                count = extent->count - offset < left.count ? extent->count - offset : left.count;
                r = put(to, left.inside, extent->inside + offset, count);
                left.inside += count;
                left.outside += count;
                left.count -= count;
        }
        return r;
}

/* @wanted is NULL where it is the container's own: each id is then what it is anyway. */
static int find_map(const char *path, const struct initsync_idmap *wanted, size_t n, struct map *ret,
                    struct initsync_error *reterr) {
        struct map here = { .n = 0 };
        size_t i;
        int r;

        r = read_own(path, &here, reterr);
        if (r < 0)
                return r;
        ret->n = 0;
        for (i = 0; r == 0 && i < (wanted ? n : here.n); i++)
                r = wanted ? translate(wanted[i], &here, ret) :
                             put(ret, here.extents[i].inside, here.extents[i].inside, here.extents[i].count);
        if (r == -EPERM)
                return fault(reterr, r,
                             "hostID %u and the next %u: not all of them are ids of the container's user namespace",
                             wanted[i - 1].outside, wanted[i - 1].count - 1);
        return r == 0 ? 0 : fault(reterr, r, "the id map, in ids of the user namespace, has more than %d extents",
                                  INITSYNC_IDMAP_MAX);
}

/*
 * A process that became root of its user namespace is not dumpable, and its files in /proc are not its own then. In a new
 * user namespace nobody else is there yet who could make use of it that they are for a moment; in one that exists there is.
 */
static int open_namespace(const struct map *uids, const struct map *gids, bool alone, int *ret_fd,
                          struct initsync_error *reterr) {
        const bool lend = alone && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
        int r;

        if (lend)
                prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        r = initsync_userns_open(uids->extents, uids->n, gids->extents, gids->n, ret_fd, reterr);
        if (lend && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
                fd_closep(ret_fd);
                return fault_call(reterr, -errno, "prctl", "PR_SET_DUMPABLE");
        }
        return r;
}

int mount_idmap(const struct bundle_mount *mount, const struct bundle *bundle, int tree, struct initsync_error *reterr) {
        struct mount_attributes attr = { .attr_set = MOUNT_ATTR_IDMAP };
        const bool own = mount->want.userns_path || mount->maps_container;
        _cleanup_fd_ int user = -1;
        struct map uids, gids;
        int r;

        if (!mount_is_mapped(mount))
                return 0;
        r = tree_mappable(mount->type, reterr);
        if (r == 0)
                r = find_map("/proc/self/uid_map", own ? NULL : mount->want.uids, mount->want.n_uids, &uids, reterr);
        if (r == 0)
                r = find_map("/proc/self/gid_map", own ? NULL : mount->want.gids, mount->want.n_gids, &gids, reterr);
        if (r == 0)
                r = open_namespace(&uids, &gids, bundle_new_namespaces(bundle) & CLONE_NEWUSER, &user, reterr);
        if (r < 0)
                return r;
        attr.userns_fd = (uint64_t)user;
        r = tree_set(tree, false, &attr, mount->type, reterr);
        return r == -EINVAL ? fault_in(reterr, "a file system that takes no id mapping") : r;
}
