/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>
#include "bench.h"
#include "bench_place.h"
#include "say.h"

static struct bench_maps maps;
static bool is_root;

bool bench_is_root(void) {
        return is_root;
}

const struct bench_maps *bench_maps(void) {
        return &maps;
}

static int write_file(const char *path, const char *text, struct initsync_error *reterr) {
        int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                r = fault_call(reterr, -errno, "write", path);
        if (fd >= 0)
                close(fd);
        return r;
}

/* One id is all that an ordinary user can map alone. */
static int enter_user_namespace(struct initsync_error *reterr) {
        char uid_map[32], gid_map[32];
        int r;

        snprintf(uid_map, sizeof(uid_map), "0 %u 1", (unsigned)geteuid());
        snprintf(gid_map, sizeof(gid_map), "0 %u 1", (unsigned)getegid());
        if (unshare(CLONE_NEWUSER) < 0)
                return fault_call(reterr, -errno, "unshare", "user namespace");
        r = write_file("/proc/self/setgroups", "deny", reterr);
        if (r == 0)
                r = write_file("/proc/self/uid_map", uid_map, reterr);
        return r < 0 ? r : write_file("/proc/self/gid_map", gid_map, reterr);
}

int place_enter(struct initsync_error *reterr) {
        struct rlimit files;
        unsigned i;
        int r;

        is_root = geteuid() == 0;
        maps.n = is_root ? 5 : 1;
        for (i = 0; i < maps.n; i++)
                maps.extents[i] = (struct initsync_idmap){ 1000 * i, is_root ? 100000 + 2000 * i : 0, is_root ? 1000 : 1 };
        r = is_root ? 0 : enter_user_namespace(reterr);
        if (r < 0)
                return r;
        if (unshare(CLONE_NEWNS) < 0)
                return fault_call(reterr, -errno, "unshare", "mount namespace");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return fault_call(reterr, -errno, "mount", "/");
        if (mount("bench", BENCH_PLACE, "tmpfs", 0, "mode=755") < 0)
                return fault_call(reterr, -errno, "mount", BENCH_PLACE);
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        return 0;
}
