/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <sys/prctl.h>
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mount/ours.h"

#define STACK 8192

struct holder {
        int socket, parent;
        int fd;                 /* its result */
};

/*
 * A namespace lives while somebody is in it: this task is, until it is killed. It can do nothing in the user namespace that it has,
 * where no id is mapped; so its working directory, which went along with the copy, is opened without a path, and nobody is asked.
 */
RAW static int hold(void *arg) {
        struct holder *holder = arg;

        sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sys_getppid() != holder->parent)
                return 1;
        holder->fd = sys_open_tree(AT_FDCWD, "", SYS_AT_EMPTY_PATH | SYS_OPEN_TREE_CLOEXEC);
        if (sys_shutdown(holder->socket, SHUT_RDWR) < 0)
                return 1;
        for (;;)
                (sys_poll)(NULL, 0, NULL);      /* no site for faults: it may be killed before it gets here */
}

RAW static int join_copy(int task, int socket, struct holder *holder, struct source_result *result) {
        struct pollfd poll[2] = {
                { .fd = socket, .events = POLLIN },
                { .fd = task, .events = POLLIN },
        };
        int r;

        do
                r = sys_poll(poll, 2, NULL);
        while (r == -EINTR);
        if (r < 0)
                return source_fail(result, r, SOURCE_PPOLL);
        if (poll[1].revents)
                return source_fail(result, -ESRCH, SOURCE_CLONE);
        if (holder->fd < 0)
                return source_fail(result, holder->fd, SOURCE_OPEN_TREE);
        r = sys_setns(task, CLONE_NEWNS);
        /* What it opened goes with this task, which serves nothing after a failure. */
        return r < 0 ? source_fail(result, r, SOURCE_SETNS) : holder->fd;
}

RAW int ours_enter(int ns, int seen, struct source_result *result) {
        struct holder holder = { .parent = sys_getpid(), .fd = -ESRCH };
        _Alignas(16) char stack[STACK];
        int pair[2], task, r;

        /* Also the working directory's: only what lies in the namespace that is copied goes along. */
        r = sys_setns(ns, CLONE_NEWNS);
        if (r < 0)
                return source_fail(result, r, SOURCE_SETNS);
        r = sys_fchdir(seen);
        if (r < 0)
                return source_fail(result, r, SOURCE_FCHDIR);
        r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
        if (r < 0)
                return source_fail(result, r, SOURCE_SOCKETPAIR);
        holder.socket = pair[1];
        r = task_start(CLONE_FILES | CLONE_NEWUSER | CLONE_NEWNS, stack, sizeof(stack), hold, &holder, &task, NULL);
        if (r < 0) {
                source_fail(result, r, SOURCE_CLONE);
        } else {
                r = join_copy(task, pair[0], &holder, result);
                task_end(task, -1);
                sys_close(task);
        }
        sys_close(pair[0]);
        sys_close(pair[1]);
        return r;
}
