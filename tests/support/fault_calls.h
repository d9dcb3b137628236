/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FAULT_CALLS_H
#define SUPPORT_FAULT_CALLS_H

/*
 * In front of each source of the library in the build for fault tests: the names of its system calls become macros that ask first.
 * What is asked runs in tasks, too, and is as simple as they need it.
 */

#include "kernel/clone.h"
#include "kernel/syscalls.h"
#include "support/fault.h"

/* Does the pass of @site that begins here fail, and with what. */
RAW static inline int fault_hit(const struct fault_site *site) {
        long at = site - __start_fault_sites;
        unsigned pass;

        if (!fault)
                return 0;
        pass = __atomic_add_fetch(&fault->passes[fault_role][at], 1, __ATOMIC_SEQ_CST);
        if (at == fault->site && (int)fault_role == fault->role && pass >= fault->from && pass - fault->from < fault->times) {
                __atomic_add_fetch(&fault->fired, 1, __ATOMIC_SEQ_CST);
                return fault->error;
        }
        return pass >= fault->denied_from[at] && pass - fault->denied_from[at] < fault->denied_times[at] ? fault->denied[at] : 0;
}

#define FAULT_SITE(call) __extension__({                                                                        \
        static struct fault_site fault_site_ __attribute__((section("fault_sites"), used)) =                   \
                { call, __FILE__, __func__, __LINE__, 0 };                                                             \
        &fault_site_;                                                                                           \
})

/* In a coverage build our branches are in a function of their own: what is counted for a line is what the source says there. */
#ifdef INITSYNC_COVERAGE
#define FAULT_PICK(call, run, pick) __extension__({                                                             \
        __typeof__(run) fault_pick_(int forced_) {                                                              \
                return pick;                                                                                    \
        }                                                                                                       \
        fault_pick_(fault_hit(FAULT_SITE(call)));                                                               \
})
#else
#define FAULT_PICK(call, run, pick) __extension__({                                                             \
        int forced_ = fault_hit(FAULT_SITE(call));                                                              \
        pick;                                                                                                   \
})
#endif

#define FAULT(call, run) FAULT_PICK(call, run, forced_ ? (__typeof__(run))-forced_ : (run))

/* What has its effect whatever it answers: close(2) frees the number, and ECHILD means that nobody is there to be reaped. */
#define FAULT_AFTER(call, run) FAULT_PICK(call, run, __extension__({                                            \
        __typeof__(run) result_ = (run);                                                                        \
        forced_ ? -forced_ : result_;                                                                           \
}))

#define FAULT_ZEROED(call, run) \
        FAULT_PICK(call, run, forced_ == FAULT_ZERO ? ((void)(run), 0) : forced_ ? -forced_ : (run))

RAW static inline ssize_t fault_read(int forced, int fd, void *data, size_t n, off_t offset) {
        if (forced && forced != FAULT_SHORT)
                return -forced;
        n = forced ? (n + 1) / 2 : n;
        n = forced && n > 8 ? 8 : n;
        return offset < 0 ? sys_read(fd, data, n) : sys_pread(fd, data, n, offset);
}

RAW static inline ssize_t fault_write(int forced, int fd, const void *data, size_t n) {
        if (forced && forced != FAULT_SHORT)
                return -forced;
        return sys_write(fd, data, forced ? (n + 1) / 2 : n);
}

/* A packet that is cut in its middle: a peer's that is broken. */
RAW static inline ssize_t fault_packet(int forced, int fd, struct msghdr *message, int flags, int out) {
        struct iovec half;
        struct iovec *whole = message->msg_iov;
        ssize_t r;

        if (forced && forced != FAULT_SHORT)
                return -forced;
        if (forced) {
                half.iov_base = whole->iov_base;
                half.iov_len = (whole->iov_len + 1) / 2;
                half.iov_len = half.iov_len > 16 && !out ? 16 : half.iov_len;
                message->msg_iov = &half;
        }
        r = out ? sys_sendmsg(fd, message, flags) : sys_recvmsg(fd, message, flags);
        message->msg_iov = whole;
        return r;
}

RAW static inline int fault_sendmmsg(int forced, int fd, struct sys_mmsghdr *messages, unsigned n, int flags) {
        if (forced && forced != FAULT_SHORT)
                return -forced;
        return sys_sendmmsg(fd, messages, forced ? 1 : n, flags);
}

RAW static inline ssize_t fault_readlinkat(int forced, int dirfd, const char *path, char *to, size_t n) {
        if (forced && forced != FAULT_SHORT)
                return -forced;
        return sys_readlinkat(dirfd, path, to, forced ? (n < 3 ? n : 3) : n);
}

#define sys_close(...) FAULT_AFTER("close", sys_close(__VA_ARGS__))
/* FAULT_ZERO: it shows nothing, as while somebody traces the process. */
#define sys_waitid(...) FAULT_PICK("waitid", sys_waitid(__VA_ARGS__), __extension__({                             \
        int result_ = forced_ == EINTR || forced_ == FAULT_ZERO ? 0 : sys_waitid(__VA_ARGS__);                  \
        forced_ == FAULT_ZERO ? 0 : forced_ ? -forced_ : result_;                                               \
}))
#define sys_munmap(...) FAULT_AFTER("munmap", sys_munmap(__VA_ARGS__))
#define sys_read(fd, data, n) fault_read(fault_hit(FAULT_SITE("read")), fd, data, n, -1)
#define sys_pread(fd, data, n, offset) fault_read(fault_hit(FAULT_SITE("pread")), fd, data, n, offset)
#define sys_write(...) fault_write(fault_hit(FAULT_SITE("write")), __VA_ARGS__)
#define sys_sendmsg(fd, message, flags) \
        fault_packet(fault_hit(FAULT_SITE("sendmsg")), fd, (struct msghdr *)(message), flags, 1)
#define sys_recvmsg(fd, message, flags) fault_packet(fault_hit(FAULT_SITE("recvmsg")), fd, message, flags, 0)
#define sys_sendmmsg(...) fault_sendmmsg(fault_hit(FAULT_SITE("sendmmsg")), __VA_ARGS__)
#define sys_readlinkat(...) fault_readlinkat(fault_hit(FAULT_SITE("readlinkat")), __VA_ARGS__)

#define sys_fcntl(...) FAULT("fcntl", sys_fcntl(__VA_ARGS__))
#define sys_ioctl(...) FAULT("ioctl", sys_ioctl(__VA_ARGS__))
#define sys_openat(...) FAULT("openat", sys_openat(__VA_ARGS__))
#define sys_openat2(...) FAULT("openat2", sys_openat2(__VA_ARGS__))
#define sys_fchdir(...) FAULT("fchdir", sys_fchdir(__VA_ARGS__))
#define sys_getcwd(...) FAULT("getcwd", sys_getcwd(__VA_ARGS__))
#define sys_poll(...) FAULT_ZEROED("ppoll", sys_poll(__VA_ARGS__))
#define sys_setsockopt(...) FAULT("setsockopt", sys_setsockopt(__VA_ARGS__))
#define sys_getsockopt(...) FAULT("getsockopt", sys_getsockopt(__VA_ARGS__))
#define sys_shutdown(...) FAULT("shutdown", sys_shutdown(__VA_ARGS__))
#define sys_socketpair(...) FAULT("socketpair", sys_socketpair(__VA_ARGS__))
#define sys_prctl(...) FAULT("prctl", sys_prctl(__VA_ARGS__))
#define sys_setns(...) FAULT("setns", sys_setns(__VA_ARGS__))
#define sys_statx(...) FAULT("statx", sys_statx(__VA_ARGS__))
#define sys_open_tree(...) FAULT("open_tree", sys_open_tree(__VA_ARGS__))
#define sys_open_tree_attr(...) FAULT("open_tree_attr", sys_open_tree_attr(__VA_ARGS__))
#define sys_mount_setattr(...) FAULT("mount_setattr", sys_mount_setattr(__VA_ARGS__))
#define sys_move_mount(...) FAULT("move_mount", sys_move_mount(__VA_ARGS__))
#define sys_statmount(...) FAULT("statmount", sys_statmount(__VA_ARGS__))
#define sys_listmount(...) FAULT("listmount", sys_listmount(__VA_ARGS__))
#define sys_pidfd_open(...) FAULT("pidfd_open", sys_pidfd_open(__VA_ARGS__))
#define sys_pidfd_send_signal(...) FAULT("pidfd_send_signal", sys_pidfd_send_signal(__VA_ARGS__))
#define sys_pidfd_getfd(...) FAULT("pidfd_getfd", sys_pidfd_getfd(__VA_ARGS__))
#define sys_getdents(...) FAULT("getdents64", sys_getdents(__VA_ARGS__))
#define sys_close_range(...) FAULT("close_range", sys_close_range(__VA_ARGS__))
#define sys_fsopen(...) FAULT("fsopen", sys_fsopen(__VA_ARGS__))
#define sys_fsconfig(...) FAULT("fsconfig", sys_fsconfig(__VA_ARGS__))
#define sys_fsmount(...) FAULT("fsmount", sys_fsmount(__VA_ARGS__))
#define sys_mkdirat(...) FAULT("mkdirat", sys_mkdirat(__VA_ARGS__))
#define sys_mount(...) FAULT("mount", sys_mount(__VA_ARGS__))
#define sys_capget(...) FAULT("capget", sys_capget(__VA_ARGS__))
#define sys_capset(...) FAULT("capset", sys_capset(__VA_ARGS__))
#define sys_memfd_create(...) FAULT("memfd_create", sys_memfd_create(__VA_ARGS__))
#define sys_sendfile(...) FAULT("sendfile", sys_sendfile(__VA_ARGS__))
#define sys_mmap(...) FAULT("mmap", sys_mmap(__VA_ARGS__))
#define sys_mprotect(...) FAULT("mprotect", sys_mprotect(__VA_ARGS__))
#define sys_madvise(...) FAULT("madvise", sys_madvise(__VA_ARGS__))
#define sys_fstatfs(...) FAULT("fstatfs", sys_fstatfs(__VA_ARGS__))
#define sys_epoll_create(...) FAULT("epoll_create1", sys_epoll_create(__VA_ARGS__))
#define sys_epoll_ctl(...) FAULT("epoll_ctl", sys_epoll_ctl(__VA_ARGS__))
#define sys_epoll_wait(...) FAULT("epoll_wait", sys_epoll_wait(__VA_ARGS__))
#define sys_timerfd_create(...) FAULT("timerfd_create", sys_timerfd_create(__VA_ARGS__))
#define sys_timerfd_settime(...) FAULT("timerfd_settime", sys_timerfd_settime(__VA_ARGS__))
#define sys_clone_task(...) FAULT("clone", sys_clone_task(__VA_ARGS__))

/* Cannot fail: getpid(2), getppid(2), rt_sigprocmask(2), clock_gettime(2), setfsuid(2) and setfsgid(2) as they are used here. */

#endif /* SUPPORT_FAULT_CALLS_H */
