/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "place.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#define CREATE 6                /* FSCONFIG_CMD_CREATE; the C library's header may lack it */

static char why[128];

static int failed(const char *call) {
        snprintf(why, sizeof(why), "%s: %s", call, strerror(errno));
        return 0;
}

static int put(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC), ok;

        if (fd < 0)
                return 0;
        ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
        close(fd);
        return ok;
}

int place_enter(void) {
        char uids[32], gids[32];

        snprintf(uids, sizeof(uids), "0 %d 1", (int)geteuid());
        snprintf(gids, sizeof(gids), "0 %d 1", (int)getegid());
        if (geteuid() != 0) {
                if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                        return failed("unshare(CLONE_NEWUSER)");
                if (!put("/proc/self/setgroups", "deny") || !put("/proc/self/uid_map", uids) || !put("/proc/self/gid_map",
                                                                                                     gids))
                        return failed("uid_map");
        } else if (unshare(CLONE_NEWNS) < 0) {
                return failed("unshare(CLONE_NEWNS)");
        }
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return failed("mount(MS_PRIVATE)");
        return 1;
}

const char *place_why(void) {
        return why;
}

int place_tmpfs(const char *name) {
        int fs = (int)syscall(SYS_fsopen, "tmpfs", 1), fd, file, r;

        if (fs < 0)
                return -errno;
        r = (int)syscall(SYS_fsconfig, fs, CREATE, NULL, NULL, 0);
        fd = r < 0 ? -1 : (int)syscall(SYS_fsmount, fs, 1, 0);
        r = fd < 0 ? -errno : 0;
        close(fs);
        if (r < 0)
                return r;
        file = openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        if (file < 0 || write(file, name, strlen(name)) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        close(file);
        return fd;
}

int place_has(int fd, const char *name) {
        struct stat st;

        return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
