/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLONE_H
#define KERNEL_CLONE_H

#include "kernel/raw.h"

/*
 * clone(2) by hand. The C library's wrapper is intercepted by ThreadSanitizer, which then crashes with CLONE_VM; and a child
 * that returned from a C function would run on its parent's frame.
 */
#ifdef __clang_analyzer__

long sys_clone_task(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg);

#elif RAW_TASKS && defined(__x86_64__)

RAW static inline long sys_clone_task(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
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

RAW static inline long sys_clone_task(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
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
RAW static inline long sys_clone_task(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
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

static inline long sys_clone_task(unsigned long flags, void *stack, int *ret_pidfd, int (*run)(void *), void *arg) {
        (void)flags, (void)stack, (void)ret_pidfd, (void)run, (void)arg;
        return -ENOSYS;
}

#endif

#endif /* KERNEL_CLONE_H */
