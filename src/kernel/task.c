/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <sys/wait.h>
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

/*
 * clone(2) by hand. The C library's wrapper is intercepted by ThreadSanitizer, which then crashes with CLONE_VM; and a child
 * that returned from a C function would run on its parent's frame.
 */
#if RAW_TASKS && defined(__x86_64__)

RAW static long task_clone(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
        register void *r8 __asm__("r8") = NULL;
        register void *r10 __asm__("r10") = NULL;
        register void *r12 __asm__("r12") = (void *)run;
        register void *r13 __asm__("r13") = arg;
        long ret;

        __asm__ volatile("syscall\n\t"
                         "testq %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xorl %%ebp, %%ebp\n\t"
                         "movq %%r13, %%rdi\n\t"
                         "callq *%%r12\n\t"
                         "movl %%eax, %%edi\n\t"
                         "movl %[exit], %%eax\n\t"
                         "syscall\n\t"
                         "hlt\n"
                         "1:"
                         : "=a"(ret)
                         : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(ret_pidfd), "r"(r10), "r"(r8), "r"(r12), "r"(r13),
                           [exit] "i"(SYS_exit)
                         : "rcx", "r11", "memory");
        return ret;
}

#elif RAW_TASKS && defined(__aarch64__)

RAW static long task_clone(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
        register long x8 __asm__("x8") = SYS_clone;
        register long x0 __asm__("x0") = (long)flags;
        register void *x1 __asm__("x1") = stack;
        register void *x2 __asm__("x2") = ret_pidfd;
        register long x3 __asm__("x3") = 0;
        register long x4 __asm__("x4") = 0;
        register void *x9 __asm__("x9") = (void *)run;
        register void *x10 __asm__("x10") = arg;

        __asm__ volatile("svc 0\n\t"
                         "cbnz x0, 1f\n\t"
                         "mov x29, xzr\n\t"
                         "mov x0, x10\n\t"
                         "blr x9\n\t"
                         "mov x8, %[exit]\n\t"
                         "svc 0\n\t"
                         "brk 1\n"
                         "1:"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x9), "r"(x10), [exit] "i"(SYS_exit)
                         : "memory");
        return x0;
}

#elif RAW_TASKS && defined(__i386__)

/* What would be tls and child_tid holds @run and @arg: the kernel looks at neither without a flag for it. */
RAW static long task_clone(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
        long ret;

        __asm__ volatile("int $0x80\n\t"
                         "testl %%eax, %%eax\n\t"
                         "jnz 1f\n\t"
                         "xorl %%ebp, %%ebp\n\t"
                         "subl $12, %%esp\n\t"
                         "pushl %%edi\n\t"
                         "calll *%%esi\n\t"
                         "movl %%eax, %%ebx\n\t"
                         "movl %[exit], %%eax\n\t"
                         "int $0x80\n\t"
                         "hlt\n"
                         "1:"
                         : "=a"(ret)
                         : "a"(SYS_clone), "b"(flags), "c"(stack), "d"(ret_pidfd), "S"(run), "D"(arg), [exit] "i"(SYS_exit)
                         : "memory");
        return ret;
}

#else

static long task_clone(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
        (void)flags, (void)stack, (void)ret_pidfd, (void)run, (void)arg;
        return -ENOSYS;
}

#endif

/* CLONE_PIDFD in the legacy call needs exit signal 0 all the same; sched.h of an old C library may lack it. */
RAW static int start(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd) {
        uint64_t all = ~UINT64_C(0), old = 0;
        int pidfd = -1, high, r;
        long pid;

        /* A task that could not be killed must not be started: a filter around us may hide the call. */
        r = sys_pidfd_send_signal(-1, 0);
        if (r != -EBADF)
                return r;

        /* A handler of the embedder's must never run in the task: it has neither thread nor stack for it. */
        sys_sigprocmask(SIG_BLOCK, &all, &old);
        pid = task_clone(flags | SYS_CLONE_PIDFD, (char *)stack + (size & ~(size_t)15), &pidfd, run, arg);
        sys_sigprocmask(SIG_SETMASK, &old, NULL);
        if (pid < 0)
                return (int)pid;
        if (pidfd < 3) {
                high = sys_fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
                if (high < 0) {
                        task_end(pidfd, -1);
                        sys_close(pidfd);
                        return high;
                }
                sys_close(pidfd);
                pidfd = high;
        }
        *ret_pidfd = pidfd;
        return (int)pid;
}

RAW int task_start(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd) {
        return start(flags | CLONE_VM, stack, size, run, arg, ret_pidfd);
}

RAW int task_start_apart(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd) {
        return start(flags, stack, size, run, arg, ret_pidfd);
}

RAW void task_wait(int pidfd) {
        siginfo_t info;
        int r;

        do
                r = sys_waitid(SYS_P_PIDFD, pidfd, &info, WEXITED | SYS_WALL);
        while (r == -EINTR);
}

RAW int task_spawn(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg) {
        uint64_t all = ~UINT64_C(0), old = 0;
        long pid;

        sys_sigprocmask(SIG_BLOCK, &all, &old);
        pid = task_clone(flags | CLONE_VM, (char *)stack + (size & ~(size_t)15), NULL, run, arg);
        sys_sigprocmask(SIG_SETMASK, &old, NULL);
        return (int)pid;
}

RAW int task_end(int pidfd, int timeout_ms) {
        struct pollfd waiting = { .fd = pidfd, .events = POLLIN };
        struct timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
        int r;

        sys_pidfd_send_signal(pidfd, SIGKILL);
        if (timeout_ms >= 0) {
                do
                        r = sys_poll(&waiting, 1, &timeout);
                while (r == -EINTR);
                if (r == 0)
                        return -ETIMEDOUT;
        }
        task_wait(pidfd);
        return 0;
}
