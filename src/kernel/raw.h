/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_RAW_H
#define KERNEL_RAW_H

/*
 * System calls that return a negative errno and leave errno alone, so that the same code runs in this process's threads and in
 * tasks that share its memory without being its threads (which have no errno of their own).
 */

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/attr.h"

#ifdef __clang_analyzer__
#define RAW_TASKS 1

/* An analyser cannot see what assembly writes to. To this it is any function, which may write through what it is given. */
long raw_syscall(long nr, long a, long b, long c, long d, long e, long f);

#elif defined(__x86_64__) && !defined(__ILP32__)
#define RAW_TASKS 1

RAW static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f) {
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        register long r9 __asm__("r9") = f;
        long ret;

        __asm__ volatile("syscall"
                         : "=a"(ret)
                         : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return ret;
}

#elif defined(__aarch64__)
#define RAW_TASKS 1

RAW static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f) {
        register long x8 __asm__("x8") = nr;
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = e;
        register long x5 __asm__("x5") = f;

        __asm__ volatile("svc 0"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                         : "memory");
        return x0;
}

#elif defined(__i386__)
#define RAW_TASKS 1

/* ebp cannot be an operand, and nothing on the stack can be named once it is pushed there: so two come through one pointer. */
RAW static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f) {
        const long in[2] = { nr, f };
        long ret;

        __asm__ volatile("pushl %%ebp\n\t"
                         "movl 4(%%eax), %%ebp\n\t"
                         "movl (%%eax), %%eax\n\t"
                         "int $0x80\n\t"
                         "popl %%ebp"
                         : "=a"(ret)
                         : "a"(in), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                         : "memory");
        return ret;
}

#else
#define RAW_TASKS 0             /* kernel/clone.h says what that means */

static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f) {
        int kept = errno;
        long ret = syscall(nr, a, b, c, d, e, f);

        if (ret < 0)
                ret = -errno;
        errno = kept;
        return ret;
}
#endif

#define RAW_CALL(nr, a, b, c, d, e, f) raw_syscall((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif /* KERNEL_RAW_H */
