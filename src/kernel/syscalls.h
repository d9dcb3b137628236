/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SYSCALLS_H
#define KERNEL_SYSCALLS_H

/*
 * Every system call of the library but exit: one line each, a negative errno on failure. Numbers and constants that the installed
 * headers may lack stand here (asm-generic numbers; "since" is the kernel that brought them), so that headers that are too old
 * and a kernel that is too old are one case: -ENOSYS.
 */

#include <assert.h>
#include <fcntl.h>
#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include "kernel/raw.h"

/* On 32 bit, structures with a time are those of _TIME_BITS=64, and the calls that take them. */
#ifdef SYS_ppoll_time64
#define SYS_TIME64(name) SYS_TIME64_##name
#define SYS_TIME64_ppoll SYS_ppoll_time64
#define SYS_TIME64_clock_gettime SYS_clock_gettime64
#else
#define SYS_TIME64(name) SYS_##name
#endif

#define NR_open_tree 428                /* since 5.2 */
#define NR_move_mount 429
#define NR_fsopen 430
#define NR_fsconfig 431
#define NR_fsmount 432
#define NR_pidfd_send_signal 424        /* since 5.1 */
#define NR_pidfd_open 434               /* since 5.3 */
#define NR_close_range 436              /* since 5.9 */
#define NR_openat2 437                  /* since 5.6 */
#define NR_pidfd_getfd 438              /* since 5.6 */
#define NR_mount_setattr 442            /* since 5.12 */
#define NR_statmount 457                /* since 6.8 */
#define NR_listmount 458
#define NR_open_tree_attr 467           /* since 6.15 */

struct sys_open_how {
        uint64_t flags, mode, resolve;
};
#define SYS_RESOLVE_NO_XDEV 0x01
#define SYS_RESOLVE_NO_MAGICLINKS 0x02
#define SYS_RESOLVE_NO_SYMLINKS 0x04
#define SYS_RESOLVE_BENEATH 0x08
#define SYS_RESOLVE_IN_ROOT 0x10
#define SYS_RESOLVE_CACHED 0x20

struct sys_mount_attr {
        uint64_t attr_set, attr_clr, propagation, userns_fd;
};
#define SYS_MOUNT_ATTR_RDONLY 0x01
#define SYS_MOUNT_ATTR_NOSUID 0x02
#define SYS_MOUNT_ATTR_NODEV 0x04
#define SYS_MOUNT_ATTR_IDMAP 0x00100000
#define SYS_FSCONFIG_SET_FLAG 0
#define SYS_FSCONFIG_SET_STRING 1
#define SYS_FSCONFIG_SET_FD 5
#define SYS_FSCONFIG_CMD_CREATE 6
#define SYS_OPEN_TREE_CLONE 1
#define SYS_OPEN_TREE_CLOEXEC O_CLOEXEC
#define SYS_FSOPEN_CLOEXEC 0x01
#define SYS_FSMOUNT_CLOEXEC 0x01
#define SYS_MOVE_MOUNT_F_EMPTY_PATH 0x04
#define SYS_MOVE_MOUNT_T_EMPTY_PATH 0x40
#define SYS_AT_NO_AUTOMOUNT 0x800
#define SYS_AT_EMPTY_PATH 0x1000
#define SYS_AT_STATX_DONT_SYNC 0x4000
#define SYS_AT_RECURSIVE 0x8000

struct sys_statx_time {
        int64_t sec;
        uint32_t nsec;
        int32_t pad;
};
struct sys_statx {
        uint32_t mask, blksize;
        uint64_t attributes;
        uint32_t nlink, uid, gid;
        uint16_t mode, pad0;
        uint64_t ino, size, blocks, attributes_mask;
        struct sys_statx_time atime, btime, ctime, mtime;
        uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
        uint64_t mnt_id;
        uint64_t spare[13];
};
#define SYS_STATX_TYPE 0x1
#define SYS_STATX_MTIME 0x40
#define SYS_STATX_CTIME 0x80
#define SYS_STATX_INO 0x100
#define SYS_STATX_SIZE 0x200
#define SYS_STATX_MNT_ID 0x1000                 /* since 5.8 */
#define SYS_STATX_MNT_ID_UNIQUE 0x4000          /* since 6.8 */
#define SYS_STATX_ATTR_MOUNT_ROOT 0x2000        /* since 5.8 */

struct sys_mnt_id_req {
        uint32_t size, spare;
        uint64_t mnt_id, param, mnt_ns_id;
};
#define SYS_MNT_ID_REQ_SIZE 24                  /* the size of the first version */
struct sys_statmount {
        uint32_t size, mnt_opts;
        uint64_t mask;
        uint32_t sb_dev_major, sb_dev_minor;
        uint64_t sb_magic;
        uint32_t sb_flags, fs_type;
        uint64_t mnt_id, mnt_parent_id;
        uint32_t mnt_id_old, mnt_parent_id_old;
        uint64_t mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
        uint32_t mnt_root, mnt_point;
        uint64_t spare[50];
        char str[];
};
#define SYS_STATMOUNT_MNT_BASIC 0x02
#define SYS_STATMOUNT_MNT_POINT 0x10
#define SYS_STATMOUNT_FS_TYPE 0x20

struct sys_pidfd_info {                         /* the first version, 64 bytes */
        uint64_t mask, cgroupid;
        uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
        int32_t exit_code;
};
#define SYS_PIDFD_GET_INFO 0xC040FF0BUL         /* _IOWR(0xFF, 11, struct pidfd_info), since 6.13 */
#define SYS_PIDFD_INFO_PID 0x01
#define SYS_PIDFD_INFO_EXIT 0x08                /* since 6.15 */
#define SYS_PIDFD_GET_USER_NAMESPACE 0xFF09UL   /* since 6.11; the argument must be 0 */
#define SYS_NS_GET_NSTYPE 0xB703UL

#define SYS_CLONE_PIDFD 0x00001000              /* since 5.2 */
#define SYS_P_PIDFD 3                           /* since 5.4 */
#define SYS_WALL 0x40000000
#define SYS_SO_PASSPIDFD 76                     /* since 6.5 */
#define SYS_SCM_PIDFD 4                         /* since 6.5 */
#define SYS_SO_PASSRIGHTS 83                    /* since 6.16 */
#define SYS_MFD_CLOEXEC 0x01U
#define SYS_MFD_ALLOW_SEALING 0x02U
#define SYS_MFD_EXEC 0x10U                      /* since 6.3 */
#define SYS_F_ADD_SEALS 1033
#define SYS_F_GET_SEALS 1034
#define SYS_F_SEAL_SEAL 0x01
#define SYS_F_SEAL_SHRINK 0x02
#define SYS_F_SEAL_GROW 0x04
#define SYS_F_SEAL_WRITE 0x08
#define SYS_F_SEAL_EXEC 0x20                    /* since 6.3 */

#define SYS_PROC_SUPER_MAGIC 0x9fa0
#define SYS_TMPFS_MAGIC 0x01021994
#define SYS_OVERLAYFS_MAGIC 0x794c7630

RAW static inline int sys_close(int fd) {
        return (int)RAW_CALL(SYS_close, fd, 0, 0, 0, 0, 0);
}

RAW static inline int sys_fcntl(int fd, int command, long arg) {
        return (int)RAW_CALL(SYS_fcntl, fd, command, arg, 0, 0, 0);
}

RAW static inline int sys_ioctl(int fd, unsigned long command, void *arg) {
        return (int)RAW_CALL(SYS_ioctl, fd, command, arg, 0, 0, 0);
}

RAW static inline int sys_openat(int dirfd, const char *path, int flags) {
        return (int)RAW_CALL(SYS_openat, dirfd, path, flags, 0, 0, 0);
}

RAW static inline int sys_openat2(int dirfd, const char *path, const struct sys_open_how *how) {
        return (int)RAW_CALL(NR_openat2, dirfd, path, how, sizeof(*how), 0, 0);
}

RAW static inline ssize_t sys_read(int fd, void *data, size_t n) {
        return RAW_CALL(SYS_read, fd, data, n, 0, 0, 0);
}

RAW static inline ssize_t sys_write(int fd, const void *data, size_t n) {
        return RAW_CALL(SYS_write, fd, data, n, 0, 0, 0);
}

RAW static inline ssize_t sys_readlinkat(int dirfd, const char *path, char *to, size_t n) {
        return RAW_CALL(SYS_readlinkat, dirfd, path, to, n, 0, 0);
}

RAW static inline ssize_t sys_getdents(int fd, void *entries, size_t n) {
        return RAW_CALL(SYS_getdents64, fd, entries, n, 0, 0, 0);
}

RAW static inline int sys_fchdir(int fd) {
        return (int)RAW_CALL(SYS_fchdir, fd, 0, 0, 0, 0, 0);
}

RAW static inline ssize_t sys_getcwd(char *to, size_t n) {
        return RAW_CALL(SYS_getcwd, to, n, 0, 0, 0, 0);
}

RAW static inline int sys_poll(struct pollfd *fds, size_t n, const struct timespec *timeout) {
        return (int)RAW_CALL(SYS_TIME64(ppoll), fds, n, timeout, NULL, 0, 0);
}

RAW static inline ssize_t sys_sendmsg(int fd, const struct msghdr *message, int flags) {
        return RAW_CALL(SYS_sendmsg, fd, message, flags, 0, 0, 0);
}

struct sys_mmsghdr {
        struct msghdr header;
        unsigned sent;
};

/* How many were sent, at least 1: a failure after that is the next call's. */
RAW static inline int sys_sendmmsg(int fd, struct sys_mmsghdr *messages, unsigned n, int flags) {
        return (int)RAW_CALL(SYS_sendmmsg, fd, messages, n, flags, 0, 0);
}

RAW static inline ssize_t sys_recvmsg(int fd, struct msghdr *message, int flags) {
        return RAW_CALL(SYS_recvmsg, fd, message, flags, 0, 0, 0);
}

RAW static inline int sys_setsockopt(int fd, int level, int name, const void *value, size_t n) {
        return (int)RAW_CALL(SYS_setsockopt, fd, level, name, value, n, 0);
}

RAW static inline int sys_getsockopt(int fd, int level, int name, void *value, socklen_t *n) {
        return (int)RAW_CALL(SYS_getsockopt, fd, level, name, value, n, 0);
}

RAW static inline int sys_shutdown(int fd, int how) {
        return (int)RAW_CALL(SYS_shutdown, fd, how, 0, 0, 0, 0);
}

RAW static inline int sys_socketpair(int domain, int type, int fds[2]) {
        return (int)RAW_CALL(SYS_socketpair, domain, type, 0, fds, 0, 0);
}

RAW static inline int sys_getpid(void) {
        return (int)RAW_CALL(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

RAW static inline int sys_gettid(void) {
        return (int)RAW_CALL(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

RAW static inline int sys_set_tid_address(int *word) {
        return (int)RAW_CALL(SYS_set_tid_address, word, 0, 0, 0, 0, 0);
}

RAW static inline int sys_getppid(void) {
        return (int)RAW_CALL(SYS_getppid, 0, 0, 0, 0, 0, 0);
}

RAW static inline int sys_prctl(int option, long a) {
        return (int)RAW_CALL(SYS_prctl, option, a, 0, 0, 0, 0);
}

RAW static inline int sys_sigprocmask(int how, const uint64_t *set, uint64_t *old) {
        return (int)RAW_CALL(SYS_rt_sigprocmask, how, set, old, sizeof(*set), 0, 0);
}

RAW static inline int sys_setns(int fd, int type) {
        return (int)RAW_CALL(SYS_setns, fd, type, 0, 0, 0, 0);
}

RAW static inline int sys_statx(int dirfd, const char *path, int flags, unsigned mask, struct sys_statx *ret) {
        return (int)RAW_CALL(SYS_statx, dirfd, path, flags, mask, ret, 0);
}

RAW static inline int sys_open_tree(int dirfd, const char *path, unsigned flags) {
        return (int)RAW_CALL(NR_open_tree, dirfd, path, flags, 0, 0, 0);
}

RAW static inline int sys_fsopen(const char *type, unsigned flags) {
        return (int)RAW_CALL(NR_fsopen, type, flags, 0, 0, 0, 0);
}

RAW static inline int sys_fsconfig(int fd, unsigned command, const char *key, const void *value, int aux) {
        return (int)RAW_CALL(NR_fsconfig, fd, command, key, value, aux, 0);
}

RAW static inline int sys_fsmount(int fd, unsigned flags, unsigned attributes) {
        return (int)RAW_CALL(NR_fsmount, fd, flags, attributes, 0, 0, 0);
}

RAW static inline int sys_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
        return (int)RAW_CALL(SYS_mount, source, target, type, flags, data, 0);
}

RAW static inline int sys_fstatfs(int fd, struct statfs *ret) {
#ifdef SYS_fstatfs64
        return (int)RAW_CALL(SYS_fstatfs64, fd, sizeof(*ret), ret, 0, 0, 0);
#else
        return (int)RAW_CALL(SYS_fstatfs, fd, ret, 0, 0, 0, 0);
#endif
}

RAW static inline int sys_mkdirat(int dirfd, const char *path, unsigned mode) {
        return (int)RAW_CALL(SYS_mkdirat, dirfd, path, mode, 0, 0, 0);
}

/* The ids of this task alone, not of all threads as the C library has it. They return the old one, whatever happens. */
#ifdef SYS_setfsuid32                   /* where the older one takes 16 bits */
#define SYS_ID32(name) SYS_##name##32
#else
#define SYS_ID32(name) SYS_##name
#endif
RAW static inline int sys_setfsuid(uint32_t id) {
        return (int)RAW_CALL(SYS_ID32(setfsuid), id, 0, 0, 0, 0, 0);
}

RAW static inline int sys_setfsgid(uint32_t id) {
        return (int)RAW_CALL(SYS_ID32(setfsgid), id, 0, 0, 0, 0, 0);
}

struct sys_capabilities {
        uint32_t effective, permitted, inheritable;
};

RAW static inline int sys_capget(struct sys_capabilities ret[2]) {
        uint32_t header[2] = { 0x20080522, 0 };

        return (int)RAW_CALL(SYS_capget, header, ret, 0, 0, 0, 0);
}

RAW static inline int sys_capset(const struct sys_capabilities sets[2]) {
        uint32_t header[2] = { 0x20080522, 0 };

        return (int)RAW_CALL(SYS_capset, header, sets, 0, 0, 0, 0);
}

RAW static inline int sys_open_tree_attr(int dirfd, const char *path, unsigned flags, const struct sys_mount_attr *attr) {
        return (int)RAW_CALL(NR_open_tree_attr, dirfd, path, flags, attr, sizeof(*attr), 0);
}

RAW static inline int sys_mount_setattr(int dirfd, const char *path, unsigned flags, const struct sys_mount_attr *attr) {
        return (int)RAW_CALL(NR_mount_setattr, dirfd, path, flags, attr, sizeof(*attr), 0);
}

RAW static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
        return (int)RAW_CALL(NR_move_mount, from, from_path, to, to_path, flags, 0);
}

RAW static inline int sys_memfd_create(const char *name, unsigned flags) {
        return (int)RAW_CALL(SYS_memfd_create, name, flags, 0, 0, 0, 0);
}

/* From where the one file stands to where the other does. */
RAW static inline ssize_t sys_sendfile(int to, int from, size_t n) {
        return RAW_CALL(SYS_sendfile, to, from, NULL, n, 0, 0);
}

RAW static inline int sys_statmount(const struct sys_mnt_id_req *request, struct sys_statmount *ret, size_t size) {
        return (int)RAW_CALL(NR_statmount, request, ret, size, 0, 0, 0);
}

RAW static inline ssize_t sys_listmount(const struct sys_mnt_id_req *request, uint64_t *ids, size_t n) {
        return RAW_CALL(NR_listmount, request, ids, n, 0, 0, 0);
}

RAW static inline int sys_pidfd_open(int pid) {
        return (int)RAW_CALL(NR_pidfd_open, pid, 0, 0, 0, 0, 0);
}

RAW static inline int sys_pidfd_send_signal(int pidfd, int signal) {
        return (int)RAW_CALL(NR_pidfd_send_signal, pidfd, signal, NULL, 0, 0, 0);
}

RAW static inline int sys_pidfd_getfd(int pidfd, int fd) {
        return (int)RAW_CALL(NR_pidfd_getfd, pidfd, fd, 0, 0, 0, 0);
}

RAW static inline int sys_waitid(int type, int id, siginfo_t *ret, int options) {
        return (int)RAW_CALL(SYS_waitid, type, id, ret, options, NULL, 0);
}

RAW static inline int sys_close_range(unsigned first, unsigned last, unsigned flags) {
        return (int)RAW_CALL(NR_close_range, first, last, flags, 0, 0, 0);
}

RAW static inline int sys_clock_gettime(clockid_t clock, struct timespec *ret) {
        return (int)RAW_CALL(SYS_TIME64(clock_gettime), clock, ret, 0, 0, 0, 0);
}

/*
 * By way of the C library, for threads only: sanitizers must hear of mappings, and on 32 bit the structs of these calls depend on
 * the size of time_t and of file sizes. errno keeps its value.
 */
static inline long sys_result(long r, int kept) {
        assert(r >= 0 || errno > 0);
        if (r < 0)
                r = -errno;
        errno = kept;
        return r;
}

/*
 * On 32 bit each architecture has an order of its own for the halves of an offset, and the C library knows it. Elsewhere it is not
 * asked: ThreadSanitizer would see a file read whose opening and closing it has not seen.
 */
static inline ssize_t sys_pread(int fd, void *data, size_t n, off_t offset) {
#if __SIZEOF_LONG__ == 8
        return RAW_CALL(SYS_pread64, fd, data, n, offset, 0, 0);
#else
        int kept = errno;

        return (ssize_t)sys_result(pread(fd, data, n, offset), kept);
#endif
}

static inline int sys_mmap(size_t size, int flags, void **ret) {
        int kept = errno;
        void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

        if (area == MAP_FAILED)
                return (int)sys_result(-1, kept);
        *ret = area;
        return 0;
}

static inline int sys_munmap(void *area, size_t size) {
        int kept = errno;

        return (int)sys_result(munmap(area, size), kept);
}

static inline int sys_mprotect(void *area, size_t size, int protection) {
        int kept = errno;

        return (int)sys_result(mprotect(area, size, protection), kept);
}

static inline int sys_madvise(void *area, size_t size, int advice) {
        int kept = errno;

        return (int)sys_result(madvise(area, size, advice), kept);
}

static inline int sys_epoll_create(void) {
        int kept = errno;

        return (int)sys_result(epoll_create1(EPOLL_CLOEXEC), kept);
}

static inline int sys_epoll_ctl(int epoll, int operation, int fd, unsigned events) {
        struct epoll_event event = { .events = events, .data.fd = fd };
        int kept = errno;

        return (int)sys_result(epoll_ctl(epoll, operation, fd, &event), kept);
}

static inline int sys_epoll_wait(int epoll, struct epoll_event *events, int n, int timeout_ms) {
        int kept = errno;

        return (int)sys_result(epoll_wait(epoll, events, n, timeout_ms), kept);
}

static inline int sys_timerfd_create(void) {
        int kept = errno;

        return (int)sys_result(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), kept);
}

static inline int sys_timerfd_settime(int fd, const struct itimerspec *at) {
        int kept = errno;

        return (int)sys_result(timerfd_settime(fd, TFD_TIMER_ABSTIME, at, NULL), kept);
}

#endif /* KERNEL_SYSCALLS_H */
