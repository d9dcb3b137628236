/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include "cleanup.h"
#include "joined.h"
#include "kernel.h"
#include "say.h"

#define NSFS_MAGIC 0x6e736673
#define GET_NSTYPE _IO(0xb7, 3)         /* NS_GET_NSTYPE, Linux 4.11 */

static int blame(struct initsync_error *reterr, size_t index) {
        return fault_in(reterr, "config.json: linux.namespaces[%zu].path", index);
}

/*
 * First looked at, then opened: opening a FIFO may never end, and opening a device does whatever it does.
 */
static int open_namespace(const struct bundle_namespace *wanted, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int look = -1, fd = -1;
        struct statfs fs;
        struct stat st;
        char self[64];
        int type;

        look = open(wanted->path, O_PATH | O_CLOEXEC);
        if (look < 0)
                return fault_call(reterr, -errno, "open", wanted->path);
        if (fstat(look, &st) < 0)
                return fault_call(reterr, -errno, "fstat", wanted->path);
        if (!S_ISREG(st.st_mode) || fstatfs(look, &fs) < 0 || (unsigned long)fs.f_type != NSFS_MAGIC)
                return fault(reterr, -EINVAL, "%s: no namespace", wanted->path);
        snprintf(self, sizeof(self), "/proc/self/fd/%d", look);
        fd = open(self, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fault_call(reterr, -errno, "open", wanted->path);
        type = ioctl(fd, GET_NSTYPE);
        if (type != wanted->flag)
                return fault(reterr, -EINVAL, "%s: no %s namespace", wanted->path, bundle_namespace_name(wanted->flag));
        *ret_fd = take_fd(&fd);
        return 0;
}

/* Whether it is the one that this program is in, or with "1" the one of the first process there is. */
static bool is_of(const char *process, const struct bundle_namespace *wanted, int fd) {
        static const char *const files[][2] = { { "network", "net" }, { "mount", "mnt" } };
        const char *name = bundle_namespace_name(wanted->flag);
        struct stat own, other;
        char path[64];
        size_t i;

        for (i = 0; i < 2; i++)
                if (strcmp(name, files[i][0]) == 0)
                        name = files[i][1];
        snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
        return stat(path, &own) == 0 && fstat(fd, &other) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/* What would happen to a namespace that the container shares with us. */
static int check_own(const struct bundle *bundle, int flag, struct initsync_error *reterr) {
        size_t i;

        if (flag == CLONE_NEWUSER)
                return fault(reterr, -EINVAL, "the user namespace that this program is in");
        if (flag == CLONE_NEWNS)
                return fault(reterr, -EINVAL, "the mount namespace that this program is in, whose root would be "
                             "the container's");
        if (flag == CLONE_NEWUTS && (bundle->hostname || bundle->domainname))
                return fault(reterr, -EINVAL, "this program's own, which hostname and domainname would change");
        for (i = 0; i < bundle->sysctls.n; i++)
                if (bundle->sysctls.list[i].flag == flag)
                        return fault(reterr, -EINVAL, "this program's own, which linux.sysctl.%s would change",
                                     bundle->sysctls.list[i].name);
        return 0;
}

int joined_open(struct joined *joined, const struct bundle *bundle, struct initsync_error *reterr) {
        const struct bundle_namespace *wanted;
        size_t i;
        int r;

        for (i = 0; i < bundle->n_joined; i++) {
                _cleanup_fd_ int fd = -1;

                wanted = &bundle->joined[i];
                r = open_namespace(wanted, &fd, reterr);
                /* With ours it may be the host's: all there is would be in the container from then on. */
                if (r == 0 && wanted->flag == CLONE_NEWNS && is_of("1", wanted, fd))
                        r = fault(reterr, -EINVAL, "the mount namespace of process 1, whose root would be the container's");
                if (r == 0 && is_of("self", wanted, fd)) {
                        r = check_own(bundle, wanted->flag, reterr);
                        if (r == 0)
                                continue;       /* nothing to be done, and entering it may be refused */
                }
                if (r < 0)
                        return blame(reterr, wanted->index);
                joined->list[joined->n++] = (struct joined_namespace){ wanted->flag, take_fd(&fd), wanted->index };
        }
        return 0;
}

int joined_open_user(const struct bundle *bundle, int *ret_fd, struct initsync_error *reterr) {
        size_t i;
        int r;

        *ret_fd = -1;
        for (i = 0; i < bundle->n_joined; i++) {
                if (bundle->joined[i].flag != CLONE_NEWUSER)
                        continue;
                r = open_namespace(&bundle->joined[i], ret_fd, reterr);
                return r < 0 ? blame(reterr, bundle->joined[i].index) : 0;
        }
        return 0;
}

void joined_close(struct joined *joined) {
        while (joined->n > 0)
                fd_closep(&joined->list[--joined->n].fd);
}

int joined_user(const struct joined *joined) {
        size_t i;

        for (i = 0; i < joined->n; i++)
                if (joined->list[i].flag == CLONE_NEWUSER)
                        return joined->list[i].fd;
        return -1;
}

static int enter_one(const struct joined_namespace *one, struct initsync_error *reterr) {
        if (setns(one->fd, one->flag) == 0)
                return 0;
        fault_call(reterr, -errno, "setns", bundle_namespace_name(one->flag));
        return blame(reterr, one->index);
}

int joined_enter(const struct joined *joined, struct initsync_error *reterr) {
        const struct joined_namespace *user = NULL;
        bool left[BUNDLE_NAMESPACES] = { false };
        size_t i;
        int r;

        for (i = 0; i < joined->n; i++)
                if (joined->list[i].flag == CLONE_NEWUSER)
                        user = &joined->list[i];
        for (i = 0; i < joined->n; i++) {
                if (&joined->list[i] == user)
                        continue;
                r = enter_one(&joined->list[i], reterr);
                left[i] = r == -EPERM && user;
                if (r < 0 && !left[i])
                        return r;
        }
        r = user ? enter_one(user, reterr) : 0;
        for (i = 0; r == 0 && i < joined->n; i++)
                if (left[i])
                        r = enter_one(&joined->list[i], reterr);
        return r;
}

/* Each line of the file is one extent of @map, and none is left over; they do not overlap, so that none counts twice. */
static bool same_map(const char *path, const struct bundle_map *map) {
        FILE *file = fopen(path, "re");
        unsigned inside, outside, count;
        size_t i, n = 0;

        while (file && n <= map->n && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3) {
                for (i = 0; i < map->n; i++)
                        if (map->extents[i].inside == inside && map->extents[i].outside == outside &&
                            map->extents[i].count == count)
                                break;
                n += i < map->n ? 1 : map->n + 1;
        }
        if (file)
                fclose(file);
        return n == map->n;
}

int joined_check_maps(const struct bundle *bundle, struct initsync_error *reterr) {
        static const char others[] = "the user namespace of linux.namespaces has others";

        if (bundle->uids.n == 0)
                return 0;
        if (!same_map("/proc/self/uid_map", &bundle->uids))
                return fault(reterr, -EINVAL, "config.json: linux.uidMappings: %s", others);
        if (!same_map("/proc/self/gid_map", &bundle->gids))
                return fault(reterr, -EINVAL, "config.json: linux.gidMappings: %s", others);
        return 0;
}
