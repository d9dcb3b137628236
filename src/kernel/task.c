/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <sys/wait.h>
#include "kernel/clone.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

#define AGAIN_MS 100
#define TRACED_MS 1             /* a tracer that is not stopped takes notice meanwhile */
#define TRACED_TRIES 50

/* CLONE_PIDFD in the legacy call needs exit signal 0 all the same; sched.h of an old C library may lack it. */
RAW static int start(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd,
                     const char **ret_call) {
        const char *unused;
        uint64_t all = ~UINT64_C(0), old = 0;
        int pidfd = -1, high, r;
        long pid;

        ret_call = ret_call ? ret_call : &unused;       /* ANALYZED(uninitvar): its address */
        *ret_call = "pidfd_send_signal";
        /* A task that could not be killed must not be started: a filter around us may hide the call. */
        r = sys_pidfd_send_signal(-1, 0);
        if (r != -EBADF)
                return r;

        *ret_call = "clone";
        /* A handler of the embedder's must never run in the task: it has neither thread nor stack for it. */
        sys_sigprocmask(SIG_BLOCK, &all, &old);
        pid = sys_clone_task(flags | SYS_CLONE_PIDFD, (char *)stack + (size & ~(size_t)15), &pidfd, run, arg);
        sys_sigprocmask(SIG_SETMASK, &old, NULL);
        if (pid < 0)
                return (int)pid;
        if (pidfd < 3) {
                high = sys_fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
                if (high < 0) {
                        *ret_call = "fcntl";
                        task_end(pidfd, -1);    /* one that is traced stays a zombie: it has no descriptor to be kept by */
                        sys_close(pidfd);
                        return high;
                }
                sys_close(pidfd);
                pidfd = high;
        }
        *ret_pidfd = pidfd;
        return (int)pid;
}

RAW int task_start(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd,
                   const char **ret_call) {
        return start(flags | CLONE_VM, stack, size, run, arg, ret_pidfd, ret_call);
}

RAW int task_start_apart(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd,
                         const char **ret_call) {
        return start(flags, stack, size, run, arg, ret_pidfd, ret_call);
}

RAW int task_reap(int pidfd) {
        const struct timespec moment = { .tv_nsec = TRACED_MS * 1000000L };
        siginfo_t info;
        int r, tries = 0;

        for (;;) {
                info.si_pid = 0;
                r = sys_waitid(SYS_P_PIDFD, pidfd, &info, WEXITED | WNOHANG | SYS_WALL);
                if (r == -EINTR)
                        continue;
                if (r < 0 || info.si_pid)
                        return 0;       /* -ECHILD: nobody's any more */
                if (++tries > TRACED_TRIES)
                        return -EBUSY;
                sys_poll(NULL, 0, &moment);
        }
}

RAW int task_spawn(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg) {
        uint64_t all = ~UINT64_C(0), old = 0;
        long pid;

        sys_sigprocmask(SIG_BLOCK, &all, &old);
        pid = sys_clone_task(flags | CLONE_VM, (char *)stack + (size & ~(size_t)15), NULL, run, arg);
        sys_sigprocmask(SIG_SETMASK, &old, NULL);
        return (int)pid;
}

RAW int task_end(int pidfd, int timeout_ms) {
        struct pollfd waiting = { .fd = pidfd, .events = POLLIN };
        struct timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
        int r;

        if (timeout_ms < 0)
                timeout = (struct timespec){ .tv_nsec = AGAIN_MS * 1000000L };
        do {
                sys_pidfd_send_signal(pidfd, SIGKILL);
                do
                        r = sys_poll(&waiting, 1, &timeout);
                while (r == -EINTR);
                if (r == 0 && timeout_ms >= 0)
                        return -ETIMEDOUT;
        } while (r == 0);       /* it hangs, or the kill was refused: both may pass */
        return task_reap(pidfd);
}
