/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "kernel/fd.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"

/* The root of a procfs has inode 1; a directory of one that was bound over /proc has not. */
static int is_procfs_root(int fd) {
        struct statfs fs;
        struct sys_statx stx;

        return fd_statfs(fd, &fs) == 0 && fs.f_type == SYS_PROC_SUPER_MAGIC &&
               sys_statx(fd, "", SYS_AT_EMPTY_PATH, SYS_STATX_INO, &stx) == 0 && stx.ino == 1;
}

/* In another pid namespace's procfs our numbers name strangers. */
static int shows_our_pids(int fd) {
        char link[16], self[16];
        ssize_t n = sys_readlinkat(fd, "self", link, sizeof(link) - 1);

        if (n <= 0)
                return 0;
        link[n] = '\0';
        snprintf(self, sizeof(self), "%d", sys_getpid());
        return strcmp(link, self) == 0;
}

/*
 * One of our own, that nobody else sees: what a process needs that was started in a new pid namespace, before it has
 * mounted a /proc. Only root of the user namespace that owns the pid namespace gets it.
 */
static int make_private(void) {
        _cleanup_fd_ int context = sys_fsopen("proc", SYS_FSOPEN_CLOEXEC);
        int r;

        if (context < 0)
                return context;
        r = sys_fsconfig(context, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
        return r < 0 ? r : sys_fsmount(context, SYS_FSMOUNT_CLOEXEC, 0);
}

static int open_root(void) {
        _cleanup_fd_ int fd = fd_above_stdio(sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));

        if (fd < 0)
                return fd == -ENOENT ? -ENOSYS : fd;
        return is_procfs_root(fd) ? fd_take(&fd) : -ENOSYS;
}

int procfs_open(void) {
        _cleanup_fd_ int fd = open_root();

        if (fd < 0 && fd != -ENOSYS)
                return fd;
        if (fd >= 0 && shows_our_pids(fd))
                return fd_take(&fd);
        fd_close(fd);
        fd = fd_above_stdio(make_private());
        return fd < 0 ? -ENOSYS : fd_take(&fd);
}

int procfs_keeps_pids(int procfs) {
        char ours[64], theirs[64];
        ssize_t n = sys_readlinkat(procfs, "thread-self/ns/pid", ours, sizeof(ours));
        ssize_t m = sys_readlinkat(procfs, "thread-self/ns/pid_for_children", theirs, sizeof(theirs));

        /* Before its first process the new namespace has no name at all. */
        if (n < 0 || m < 0)
                return n < 0 ? (int)n : m == -ENOENT ? -EINVAL : (int)m;
        return n == m && memcmp(ours, theirs, (size_t)n) == 0 ? 0 : -EINVAL;
}

int procfs_open_pid(int procfs, int pid, const char *name, int flags) {
        struct sys_open_how how = {
                .flags = (uint64_t)(flags | O_CLOEXEC),
                .resolve = SYS_RESOLVE_BENEATH | SYS_RESOLVE_NO_XDEV | SYS_RESOLVE_NO_SYMLINKS,
        };
        char path[64];
        int r;

        snprintf(path, sizeof(path), "%d/%s", pid, name);
        do
                r = sys_openat2(procfs, path, &how);
        while (r == -EAGAIN || r == -EINTR);    /* EAGAIN: somebody renamed something; procfs has no renames of its own */
        return fd_above_stdio(r);
}

int procfs_open_exe(int flags, char *link, size_t size) {
        /* To the link, which is not followed here: that would leave procfs, and mounts on the way could not be told from it. */
        struct sys_open_how how = {
                .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                .resolve = SYS_RESOLVE_BENEATH | SYS_RESOLVE_NO_XDEV,
        };
        _cleanup_fd_ int procfs = open_root(), fd = -1;
        ssize_t n;

        if (procfs < 0)
                return procfs;
        do
                fd = sys_openat2(procfs, "self/exe", &how);
        while (fd == -EAGAIN || fd == -EINTR);
        if (fd < 0)
                return fd == -ENOENT ? -ENOSYS : fd;    /* a procfs that does not show us */
        n = sys_readlinkat(fd, "", link, size - 1);
        if (n < 0)
                return (int)n;
        link[n] = '\0';
        return fd_above_stdio(sys_openat(procfs, "self/exe", flags | O_CLOEXEC));
}
