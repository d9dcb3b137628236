/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include "kernel/syscalls.h"
#include "mount/culprit.h"

#define BATCH 256               /* ids asked for at once */
#define CACHED_TRIES 16         /* any mount made on the system meanwhile lets RESOLVE_CACHED give up */
#define MAPS_ALL (INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE)

struct stat_buffer {
        _Alignas(8) char bytes[sizeof(struct sys_statmount) + 4608];
};

RAW static int mount_id(int fd, uint64_t *ret) {
        struct sys_statx stx;
        int r = sys_statx(fd, "", SYS_AT_EMPTY_PATH | SYS_AT_STATX_DONT_SYNC, SYS_STATX_MNT_ID_UNIQUE, &stx);

        if (r < 0)
                return r;
        if (!(stx.mask & SYS_STATX_MNT_ID_UNIQUE))
                return -ENOSYS;
        *ret = stx.mnt_id;
        return 0;
}

RAW static const struct sys_statmount *stat_mount(uint64_t id, uint64_t what, struct stat_buffer *buffer) {
        struct sys_mnt_id_req request = { .size = SYS_MNT_ID_REQ_SIZE, .mnt_id = id, .param = what };
        struct sys_statmount *stat = (struct sys_statmount *)buffer->bytes;

        return sys_statmount(&request, stat, sizeof(buffer->bytes)) < 0 || (stat->mask & what) != what ? NULL : stat;
}

RAW static void copy(char *to, size_t size, const char *from) {
        size_t i;

        for (i = 0; i + 1 < size && from[i]; i++)
                to[i] = from[i];
        to[i] = '\0';
}

/* Is @path @below or inside of it? */
RAW static int is_below(const char *path, const char *below) {
        size_t i;

        if (below[0] == '/' && below[1] == '\0')
                return 1;
        for (i = 0; below[i]; i++)
                if (path[i] != below[i])
                        return 0;
        return path[i] == '/' || path[i] == '\0';
}

/* Mounts below mount @id, in batches; *last is 0 to begin with. Returns how many, a negative errno, 0 at the end. */
RAW static ssize_t next_batch(uint64_t id, uint64_t *last, uint64_t ids[static BATCH]) {
        struct sys_mnt_id_req request = { .size = SYS_MNT_ID_REQ_SIZE, .mnt_id = id, .param = *last };
        ssize_t n = sys_listmount(&request, ids, BATCH);

        if (n > 0)
                *last = ids[n - 1];
        return n;
}

RAW int culprit_count(int fd, int max) {
        uint64_t id, last = 0, ids[BATCH];
        int r = mount_id(fd, &id), count = 1;
        ssize_t n;

        if (r < 0)
                return r;
        do {
                n = next_batch(id, &last, ids);
                if (n < 0)
                        return (int)n;
                count += (int)n;
        } while (n == BATCH && count <= max);
        return count;
}

RAW int culprit_count_below(int fd, const char *path, int max) {
        uint64_t id, last = 0, ids[BATCH];
        struct stat_buffer buffer;
        const struct sys_statmount *stat;
        int r = mount_id(fd, &id), count = 1;
        ssize_t n, i;

        if (r < 0)
                return r;
        do {
                n = next_batch(id, &last, ids);
                if (n < 0)
                        return (int)n;
                for (i = 0; i < n; i++) {
                        stat = stat_mount(ids[i], SYS_STATMOUNT_MNT_POINT, &buffer);
                        count += !stat || is_below(stat->str + stat->mnt_point, path);
                }
        } while (n == BATCH && count <= max);
        return count;
}

RAW static void name(const struct sys_statmount *stat, struct source_result *result) {
        copy(result->type, sizeof(result->type), stat->str + stat->fs_type);
        copy(result->point, sizeof(result->point), stat->str + stat->mnt_point);
}

/*
 * Try mount @id alone; 1 when it is the one. The way to it may lead through a file system whose server does not answer: what
 * the kernel does not know by itself is not asked for, and that mount stays untried.
 */
RAW static int is_culprit(uint64_t id, const struct source_request *request, const char *path, struct source_result *result) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = SYS_RESOLVE_NO_MAGICLINKS | SYS_RESOLVE_CACHED };
        struct stat_buffer buffer;
        const struct sys_statmount *stat = stat_mount(id, SYS_STATMOUNT_MNT_POINT | SYS_STATMOUNT_FS_TYPE, &buffer);
        uint64_t opened = 0;
        int fd = -EAGAIN, r = 0, i;

        if (!stat || !is_below(stat->str + stat->mnt_point, path))
                return 0;
        for (i = 0; i < CACHED_TRIES && fd == -EAGAIN; i++)
                fd = sys_openat2(AT_FDCWD, stat->str + stat->mnt_point, &how);
        if (fd < 0)
                return 0;
        if (mount_id(fd, &opened) == 0 && opened == id)
                r = source_try_map(fd, request->userns_fd) == -EINVAL;
        sys_close(fd);
        if (r)
                name(stat, result);
        return r;
}

RAW void culprit_find(int fd, const struct source_request *request, const char *path, struct source_result *result) {
        uint64_t id, last = 0, ids[BATCH];
        struct stat_buffer buffer;
        const struct sys_statmount *stat;
        ssize_t n, i;
        int r = 0;

        if (!source_can_clone(fd, request)) {
                result->mapping = 0;
                source_fail(result, result->error, SOURCE_OPEN_TREE);
                return;
        }
        r = source_try_map(fd, request->userns_fd);
        if (r == 0 && (request->flags & MAPS_ALL) != MAPS_ALL) {
                result->mapping = 0;    /* it is the attributes that were refused */
                return;
        }
        if (mount_id(fd, &id) < 0)
                return;
        if (r == -EINVAL) {
                stat = stat_mount(id, SYS_STATMOUNT_MNT_POINT | SYS_STATMOUNT_FS_TYPE, &buffer);
                if (stat)
                        name(stat, result);
                return;
        }
        if (!path)
                return;
        do {
                n = next_batch(id, &last, ids);
                for (i = 0; i < n; i++)
                        if (is_culprit(ids[i], request, path, result))
                                return;
        } while (n == BATCH);
}

RAW int culprit_is_mapped(int fd) {
        struct stat_buffer buffer;
        const struct sys_statmount *stat;
        uint64_t id;

        if (mount_id(fd, &id) < 0)
                return 0;
        stat = stat_mount(id, SYS_STATMOUNT_MNT_BASIC, &buffer);
        return stat && stat->mnt_attr & SYS_MOUNT_ATTR_IDMAP;
}
