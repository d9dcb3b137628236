/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "kernel/syscalls.h"
#include "wire/sender_task.h"

RAW int sender_send(int socket, int fd) {
        static const char name[] = SENDER_NAME;
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec part = { (void *)name, sizeof(name) - 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t r;

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        do
                r = sys_sendmsg(socket, &message, MSG_NOSIGNAL);
        while (r == -EINTR);
        return r < 0 ? (int)r : 0;
}

RAW int sender_task(void *arg) {
        struct sender *sender = arg;
        ssize_t n;
        int fd, r;

        /*
         * One that dies by its own filter says nothing, and we hold its end of the socket open, and of the pipe: without the signal
         * nobody would ever end us.
         */
        sender->call = "prctl";
        r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sys_getppid() != sender->parent)
                return 0;
        if (r >= 0) {
                do
                        n = sys_read(sender->wake[0], &fd, sizeof(fd));
                while (n == -EINTR);
                if (n != sizeof(fd))
                        return 0;
                sender->call = "sendmsg";
                r = sender_send(sender->socket, fd);
        }
        if (r < 0) {
                __atomic_store_n(&sender->result, r, __ATOMIC_RELEASE);
                sys_shutdown(sender->socket, SHUT_RD);          /* who waits for an answer there waits in vain */
        }
        return 0;
}
