/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include "supervised.h"

static long (*answers)(int call);
static atomic_int listener = -1, calls;

int supervised_calls(void) {
        return atomic_load(&calls);
}

ssize_t sendfile_of_supervisor(int to, int from, size_t n) {
        return sendfile(to, from, NULL, n);
}

/* Was started before the filter, and is thus not under it. */
static void *supervisor(void *arg) {
        int fd;

        (void)arg;
        while ((fd = atomic_load(&listener)) < 0)
                usleep(1000);
        for (;;) {
                struct seccomp_notif call = { .id = 0 };
                struct seccomp_notif_resp answer = { .id = 0 };
                long r;

                if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
                        continue;
                r = answers(atomic_fetch_add(&calls, 1));
                answer.id = call.id;
                if (r == SUPERVISED_GO_ON)
                        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
                else if (r < 0)
                        answer.error = (int)r;
                else
                        answer.val = r;
                ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        }
        return NULL;
}

void supervised(int number, long (*answer)(int call)) {
        struct sock_filter program[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog all = { .len = sizeof(program) / sizeof(program[0]), .filter = program };
        pthread_t thread;
        long fd;

        answers = answer;
        assert(pthread_create(&thread, NULL, supervisor, NULL) == 0);
        assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &all);
        assert(fd >= 0);
        atomic_store(&listener, (int)fd);
}
