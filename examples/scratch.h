/* SPDX-License-Identifier: MIT */
#ifndef SCRATCH_H
#define SCRATCH_H

/*
 * What the examples need and the library is not about: a host that may be scratched, and a child in namespaces of its own.
 * minimal.c has the same in fewer lines, without this file.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SCRATCH_SKIP 77 /* exit status: this machine, or this user, cannot do it */

static inline int scratch_write(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        int r = fd >= 0 && write(fd, text, strlen(text)) >= 0 ? 0 : -1;

        if (fd >= 0)
                close(fd);
        return r;
}

/* An ordinary user becomes root of a user namespace with a single id: as much of a root as the examples need. */
static inline int scratch_become_root(void) {
        char uids[32], gids[32];

        snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
        snprintf(gids, sizeof(gids), "0 %u 1", getegid());
        if (unshare(CLONE_NEWUSER) < 0 || scratch_write("/proc/self/setgroups", "deny") < 0)
                return -1;
        return scratch_write("/proc/self/uid_map", uids) < 0 ? -1 : scratch_write("/proc/self/gid_map", gids);
}

/*
 * scratch_host() - a mount namespace of this process's own with a tmpfs at /mnt: an empty volume, an empty rootfs
 *
 * It goes away with the last process in it, so that no example leaves a mount or a file behind. Exits where that is not
 * possible.
 */
static inline void scratch_host(const char *name) {
        if ((geteuid() == 0 || scratch_become_root() == 0) && unshare(CLONE_NEWNS) == 0 &&
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mount("tmpfs", "/mnt", "tmpfs", 0, NULL) == 0 &&
            mkdir("/mnt/volume", 0755) == 0 && mkdir("/mnt/rootfs", 0755) == 0)
                return;
        printf("%s: skipped, this user can make no namespaces here: %s\n", name, strerror(errno));
        exit(SCRATCH_SKIP);
}

/*
 * scratch_clone() - fork(), with new namespaces and a pidfd
 *
 * clone3() and not fork() + unshare(): the parent may have the child's mount namespace from the first moment on, which is
 * what initsync_parent_new() wants. The child inherits all descriptors; see initsync_child_only().
 */
static inline pid_t scratch_clone(uint64_t namespaces, int *ret_pidfd) {
        struct clone_args args;

        memset(&args, 0, sizeof(args));
        args.flags = namespaces | CLONE_PIDFD;
        args.pidfd = (uintptr_t)ret_pidfd;
        args.exit_signal = SIGCHLD;
        return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

#endif /* SCRATCH_H */
