/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <endian.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include "deny.h"

static void load(struct sock_filter *program, unsigned short n) {
        struct sock_fprog all = { .len = n, .filter = program };

        /* Root needs no no_new_privs. */
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0)
                return;
        assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        assert(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0);
}

void deny_call(int number, int error) {
        struct sock_filter program[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };

        load(program, sizeof(program) / sizeof(program[0]));
}

void deny_call_if(int number, int arg, unsigned value, int error) {
        unsigned half = __BYTE_ORDER == __BIG_ENDIAN ? 4 : 0;
        unsigned low = (unsigned)offsetof(struct seccomp_data, args) + (unsigned)arg * 8 + half;
        struct sock_filter program[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };

        load(program, sizeof(program) / sizeof(program[0]));
}
