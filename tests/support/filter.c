/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "filter.h"

#include <endian.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif
#define MOST 32

static int load(struct sock_filter *code, size_t n, unsigned long flags) {
        struct sock_fprog program = { (unsigned short)n, code };
        int r;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
        return r < 0 ? -errno : r;
}

int filter_listener(void) {
        struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };

        return load(code, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

int filter_only(const int *numbers, size_t n) {
        struct sock_filter code[2 * MOST + 2];
        size_t i, at = 0;

        assert(n <= MOST);
        code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        for (i = 0; i < n; i++) {
                code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], 0, 1);
                code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        }
        code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
        return load(code, at, 0);
}

/* The low half of the flags, which is all that there is of them. */
#define LOUD(number, arg)                                                                                               \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(arg)),             \
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MSG_NOSIGNAL, 1, 0),                                                 \
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ARGUMENT(n) (offsetof(struct seccomp_data, args[n]) + (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0))

int filter_loud_sends(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                LOUD(SYS_sendmsg, 2), LOUD(SYS_sendmmsg, 3), LOUD(SYS_sendto, 3),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };

        return load(code, sizeof(code) / sizeof(code[0]), 0);
}

int filter_kills_nobody(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SIGKILL, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };

        return load(code, 6, 0);
}
