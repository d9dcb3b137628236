/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_H
#define KERNEL_H

/*
 * System calls that the C library may lack, each with a negative errno for a failure. <linux/mount.h> stays out: it clashes
 * with <sys/mount.h>, so that constants which older headers of the C library lack are defined here.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
#include <linux/openat2.h>

/* The same on every architecture but alpha. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_fspick
#define SYS_fspick 433
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#define MOUNT_ATTR_NODEV 0x00000004
#define MOUNT_ATTR_NOEXEC 0x00000008
#endif
#ifndef MOUNT_ATTR__ATIME
#define MOUNT_ATTR__ATIME 0x00000070
#define MOUNT_ATTR_RELATIME 0x00000000
#define MOUNT_ATTR_NOATIME 0x00000010
#define MOUNT_ATTR_STRICTATIME 0x00000020
#define MOUNT_ATTR_NODIRATIME 0x00000080
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#define FSMOUNT_CLOEXEC 1
/* An enumeration where the C library has it. */
#define FSCONFIG_SET_FLAG 0
#define FSCONFIG_SET_STRING 1
#define FSCONFIG_CMD_CREATE 6
#endif
#ifndef FSPICK_CLOEXEC
#define FSPICK_CLOEXEC 1
#define FSPICK_EMPTY_PATH 8
#endif
#define KERNEL_CMD_RECONFIGURE 7        /* FSCONFIG_CMD_RECONFIGURE */
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define KERNEL_P_PIDFD 3                /* since 5.4, for waitid(2) */
#define KERNEL_WALL 0x40000000
#define KERNEL_CLONE_PIDFD 0x00001000

/* The first version of struct clone_args. */
struct kernel_clone_args {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

/* Version 0 of the kernel's struct mount_attr, under a name of our own: not every C library declares it. */
struct mount_attributes {
        uint64_t attr_set, attr_clr, propagation, userns_fd;
};

static inline int kernel_result(long result) {
        return result < 0 ? -errno : (int)result;
}

static inline int kernel_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve) {
        struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = resolve };

        return kernel_result(syscall(SYS_openat2, dir, path, &how, sizeof(how)));
}

/* A detached clone of what @fd is open on. */
static inline int kernel_clone_tree(int fd, int recursive) {
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);

        return kernel_result(syscall(SYS_open_tree, fd, "", flags));
}

static inline int kernel_mount_setattr(int fd, int recursive, const struct mount_attributes *attr) {
        unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);

        return kernel_result(syscall(SYS_mount_setattr, fd, "", flags, attr, sizeof(*attr)));
}

static inline int kernel_fsopen(const char *type) {
        return kernel_result(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static inline int kernel_fsconfig(int fd, unsigned command, const char *key, const char *value) {
        return kernel_result(syscall(SYS_fsconfig, fd, command, key, value, 0));
}

static inline int kernel_fsmount(int fd, unsigned attributes) {
        return kernel_result(syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes));
}

/* Of the file system that the mount @fd is of. */
static inline int kernel_fspick(int fd) {
        return kernel_result(syscall(SYS_fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
}

static inline int kernel_pivot_root(const char *new_root, const char *put_old) {
        return kernel_result(syscall(SYS_pivot_root, new_root, put_old));
}

static inline int kernel_pidfd_open(pid_t pid) {
        return kernel_result(syscall(SYS_pidfd_open, pid, 0));
}

static inline int kernel_pidfd_send_signal(int pidfd, int number) {
        return kernel_result(syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0));
}

static inline pid_t kernel_clone3(struct kernel_clone_args *args) {
        return kernel_result(syscall(SYS_clone3, args, sizeof(*args)));
}

/* 0, or with SECCOMP_FILTER_FLAG_NEW_LISTENER a descriptor that is close-on-exec. */
static inline int kernel_seccomp_filter(unsigned flags, const void *program) {
        return kernel_result(syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, flags, program));
}

static inline int kernel_close_range(unsigned first, unsigned last, unsigned flags) {
        return kernel_result(syscall(SYS_close_range, first, last, flags));
}

#endif /* KERNEL_H */
