/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "nursery.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "handshake_child.h"
#include "process.h"

static int ours = -1, nursery;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

union control {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
};

/* The child's parent is whoever asked, not the nursery. */
static int make(struct handshake *handshake, int socket) {
        long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0)
                handshake_child(handshake, socket, -1);
        return pid < 0 ? -errno : (int)pid;
}

static void serve(int socket) {
        for (;;) {
                struct handshake *handshake;
                union control control;
                struct iovec part = { &handshake, sizeof(handshake) };
                struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                                          .msg_controllen = sizeof(control) };
                int theirs, pid;

                if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(handshake))
                        return;
                memcpy(&theirs, CMSG_DATA(&control.header), sizeof(theirs));
                pid = make(handshake, theirs);
                close(theirs);
                if (send(socket, &pid, sizeof(pid), MSG_NOSIGNAL) < 0)
                        return;
        }
}

static int ask(struct handshake *handshake, int theirs) {
        union control control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                                              .cmsg_type = SCM_RIGHTS } };
        struct iovec part = { &handshake, sizeof(handshake) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        int pid;

        memcpy(CMSG_DATA(&control.header), &theirs, sizeof(theirs));
        pthread_mutex_lock(&lock);
        do {
                assert(sendmsg(ours, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(handshake));
                assert(recv(ours, &pid, sizeof(pid), 0) == (ssize_t)sizeof(pid));
        } while (pid == -EAGAIN && usleep(10000) == 0);
        pthread_mutex_unlock(&lock);
        assert(pid > 0);
        return pid;
}

void nursery_open(void) {
        int pair[2];

        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        nursery = process_fork();
        if (nursery == 0) {
                close(pair[0]);
                serve(pair[1]);
                _exit(0);
        }
        close(pair[1]);
        ours = pair[0];
        handshake_fork = ask;
}

void nursery_close(void) {
        if (ours < 0)
                return;
        handshake_fork = NULL;
        close(ours);
        ours = -1;
        assert(waitpid(nursery, NULL, 0) == nursery);
}
