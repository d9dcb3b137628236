/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>
#include <sched.h>
#include <sys/mman.h>
#include "kernel/fd.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "wire/sender.h"
#include "wire/sender_task.h"

#define SPINS (1UL << 29)       /* parts of a second: one that is stopped or traced does not end */

/*
 * With the flag, the kernel reaps what we start; execve(2) clears it, and takes the default action as it is. Where nothing was
 * started it is as it was before.
 */
static int spawn(struct sender *sender) {
        struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT }, before;
        int r;

        if (sigaction(SIGCHLD, &action, &before) < 0)
                return -errno;
        r = task_spawn(CLONE_FILES | SIGCHLD, sender->stack, sizeof(sender->stack), sender_task, sender);
        if (r < 0)
                sigaction(SIGCHLD, &before, NULL);
        return r;
}

static int start(struct sender *sender, int socket) {
        _cleanup_fd_ int procfs = procfs_open();
        int pipes[2], i, r;

        /*
         * What the kernel does for whoever waits for a thread's end it also does at execve(2), for memory that somebody else uses.
         * The first thread is the one that nobody waits for; that of another could not be told.
         */
        if (sys_gettid() != sys_getpid())
                return -EINVAL;
        /* Without a /proc nobody can tell. */
        r = procfs < 0 ? 0 : procfs_keeps_pids(procfs);
        if (r < 0)
                return r;
        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -errno;
        for (i = 0; i < 2; i++)
                sender->wake[i] = fd_above_stdio(pipes[i]);
        for (i = 0; i < 2; i++)
                if (sender->wake[i] < 0)
                        return sender->wake[i];
        sender->socket = sys_fcntl(socket, F_DUPFD_CLOEXEC, 3);
        if (sender->socket < 0)
                return sender->socket;
        sender->parent = sys_getpid();
        sender->there = sender->alive = sender->parent;
        r = spawn(sender);
        if (r < 0)
                return r;
        sys_set_tid_address(&sender->there);
        return 0;
}

int sender_start(struct sender **ret_sender, int socket) {
        struct sender *sender = mmap(NULL, sizeof(*sender), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int r;

        if (sender == MAP_FAILED)
                return -errno;
        sender->wake[0] = sender->wake[1] = sender->socket = -1;
        r = start(sender, socket);
        if (r < 0) {
                fd_close(sender->socket);
                fd_close(sender->wake[0]);
                fd_close(sender->wake[1]);
                munmap(sender, sizeof(*sender));
                return r;
        }
        *ret_sender = sender;
        return 0;
}

int sender_give(struct sender *sender, int fd) {
        ssize_t n;

        do
                n = sys_write(sender->wake[1], &fd, sizeof(fd));
        while (n == -EINTR);
        return n < 0 ? (int)n : 0;
}

void sender_wait(const struct sender *sender) {
        unsigned long i;

        for (i = 0; i < SPINS && __atomic_load_n(&sender->alive, __ATOMIC_ACQUIRE); i++)
                ;
}

int sender_result(const struct sender *sender, const char **ret_call) {
        int r = __atomic_load_n(&sender->result, __ATOMIC_ACQUIRE);

        if (r < 0)
                *ret_call = sender->call;
        return r;
}

struct sender *sender_end(struct sender *sender) {
        if (!sender)
                return NULL;
        /* Before the end of the pipe wakes it, and before our caller closes what it gave us. */
        __atomic_store_n(&sender->ended, 1, __ATOMIC_RELEASE);
        sender->wake[1] = fd_close(sender->wake[1]);
        sender_leave(sender);
        return NULL;
}
