/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "filter.h"

#define X32_BIT 0x40000000U     /* set in the numbers of that architecture, which the kernel calls x86-64, too */

int filter_newer_add(struct filter_rules *rules, uint32_t architecture) {
        size_t i;

        for (i = 0; i < rules->n_last; i++)
                if (rules->last[i].architecture == architecture)
                        return 0;
        if (rules->n_last == FILTER_ARCHITECTURES)
                return -E2BIG;
        rules->last[rules->n_last++] = (struct filter_last){ .architecture = architecture };
        return 0;
}

void filter_newer_name(struct filter_rules *rules, const char *name) {
        size_t i;
        int number;

        for (i = 0; i < rules->n_last; i++) {
                /* A negative one stands for a call that this architecture does not have. */
                number = seccomp_syscall_resolve_name_arch(rules->last[i].architecture, name);
                if (number > rules->last[i].number)
                        rules->last[i].number = number;
        }
}

/* A call that nobody can have thought of passes anyway, or is a tracer's to judge. */
static bool permissive(uint32_t action) {
        action &= SECCOMP_RET_ACTION_FULL;
        return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG || action == (SCMP_ACT_TRACE(0) & SECCOMP_RET_ACTION_FULL);
}

/* "On @architecture, what is above @number fails with ENOSYS." Behind it the accumulator is nobody's. */
static size_t add(struct sock_filter *code, uint32_t architecture, uint32_t number) {
        const bool multiplexed = architecture == SCMP_ARCH_S390 || architecture == SCMP_ARCH_S390X;
        const bool x32 = architecture == SCMP_ARCH_X32;
        const uint32_t kernel = x32 ? SCMP_ARCH_X86_64 : architecture, refuse = SECCOMP_RET_ERRNO | ENOSYS;
        size_t n = 0;

        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kernel, 0, 5);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        if (kernel == SCMP_ARCH_X86_64)
                code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, X32_BIT, x32 ? 0 : 3, x32 ? 3 : 0);
        else
                /* There a number that the kernel does not have arrives as 0. */
                code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, multiplexed ? 0 : UINT32_MAX, 1, 0);
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, number, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refuse);
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0);
        return n;
}

size_t filter_newer_code(const struct filter_rules *rules, struct sock_filter *code) {
        size_t i, n = 0;

        for (i = 0; !permissive(rules->default_action) && i < rules->n_last; i++)
                if (rules->last[i].number > 0)
                        n += add(code + n, rules->last[i].architecture, (uint32_t)rules->last[i].number);
        return n;
}
