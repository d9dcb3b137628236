/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "exe/memfd.h"
#include "kernel/fd.h"
#include "kernel/procfs.h"

#define SEALS (SYS_F_SEAL_SEAL | SYS_F_SEAL_SHRINK | SYS_F_SEAL_GROW | SYS_F_SEAL_WRITE)
#define FLAGS (SYS_MFD_CLOEXEC | SYS_MFD_ALLOW_SEALING)
#define NAME_MAX_BYTES 200              /* below the kernel's limit of 249 */
#define CHUNK 16384                     /* on the stack, which may be a small one */

static int failed(struct initsync_error *reterr, int code, const char *call) {
        return error_set(reterr, code, INITSYNC_STAGE_SEAL, call, NULL, "%s", call);
}

/* More seals than these are as good. */
int memfd_sealed(int fd) {
        int seals = sys_fcntl(fd, SYS_F_GET_SEALS, 0);

        if (seals < 0)
                return seals == -EINVAL ? 0 : seals;    /* no file that takes any */
        return (seals & SEALS) == SEALS;
}

static int create(const struct exe *exe, struct initsync_error *reterr) {
        static const unsigned ways[] = { FLAGS | SYS_MFD_EXEC, FLAGS /* below Linux 6.3, where all are executable */ };
        char name[NAME_MAX_BYTES + 1];
        int i, fd = -EINVAL;

        snprintf(name, sizeof(name), "%s", exe_name(exe));
        for (i = 0; i < 2 && fd == -EINVAL; i++)
                fd = sys_memfd_create(name, ways[i]);
        if (fd == -EACCES)
                return error_say(reterr, -EACCES, INITSYNC_STAGE_SEAL, "memfd_create", NULL,
                                 "memfd_create: executable memory is forbidden here (sysctl vm.memfd_noexec)");
        return fd < 0 ? failed(reterr, fd, "memfd_create") : fd_above_stdio(fd);
}

static int state_of(int fd, struct sys_statx *ret, struct initsync_error *reterr) {
        int r = sys_statx(fd, "", SYS_AT_EMPTY_PATH, SYS_STATX_SIZE | SYS_STATX_MTIME, ret);

        return r < 0 ? failed(reterr, r, "statx") : 0;
}

/* For file systems that sendfile() cannot read from. */
static ssize_t copy_some(int from, int to, off_t at) {
        char data[CHUNK];
        ssize_t n = sys_pread(from, data, sizeof(data), at);

        return n <= 0 ? n : sys_write(to, data, (size_t)n);
}

static int copy_all(int from, int to, uint64_t size, struct initsync_error *reterr) {
        const char *call = "sendfile";
        uint64_t done = 0;

        while (done < size) {
                ssize_t n = *call == 's' ? sys_sendfile(to, from, size - done) : copy_some(from, to, (off_t)done);

                if (n == -EINTR)
                        continue;
                if ((n == -EINVAL || n == -ENOSYS) && *call == 's') {
                        call = "read";
                        continue;
                }
                if (n < 0)
                        return failed(reterr, (int)n, call);
                if (n == 0)
                        break;
                done += (uint64_t)n;
        }
        return 0;
}

static int same_time(const struct sys_statx_time *a, const struct sys_statx_time *b) {
        return a->sec == b->sec && a->nsec == b->nsec;
}

int memfd_copy(int from, int to, struct initsync_error *reterr) {
        struct sys_statx before, after, copy;
        int r = state_of(from, &before, reterr);

        if (r == 0)
                r = copy_all(from, to, before.size, reterr);
        if (r == 0)
                r = state_of(from, &after, reterr);
        if (r == 0)
                r = state_of(to, &copy, reterr);
        if (r != 0)
                return r;
        /* Not the time of its inode: whoever replaces the file, or links it, leaves what is in it alone. */
        if (copy.size != before.size || after.size != before.size || !same_time(&before.mtime, &after.mtime))
                return error_say(reterr, -ETXTBSY, INITSYNC_STAGE_SEAL, "sendfile", NULL,
                                 "sendfile: the file was written to while it was copied");
        return 0;
}

static int add_seals(int fd, struct initsync_error *reterr) {
        static const int ways[] = { SEALS | SYS_F_SEAL_EXEC, SEALS };
        int i, r = -EINVAL;

        for (i = 0; i < 2 && r == -EINVAL; i++)
                r = sys_fcntl(fd, SYS_F_ADD_SEALS, ways[i]);
        return r < 0 ? failed(reterr, r, "fcntl") : 0;
}

int memfd_seal(const struct exe *exe, int *ret_fd, struct initsync_error *reterr) {
        char path[PATH_MAX];
        _cleanup_fd_ int from = procfs_open_exe(O_RDONLY, path, sizeof(path)), to = -1;
        int r;

        if (from < 0)
                return failed(reterr, from, "open");
        to = create(exe, reterr);
        if (to < 0)
                return to;
        r = memfd_copy(from, to, reterr);
        if (r == 0)
                r = add_seals(to, reterr);
        if (r < 0)
                return r;
        *ret_fd = fd_take(&to);
        return 0;
}
