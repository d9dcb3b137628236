/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "kernel/syscalls.h"
#include "wire/sender_task.h"

#define SENDER_LOOK_MS 5        /* as long as a program that was executed may have it beside itself */

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
        r = sys_sendmsg(socket, &message, MSG_NOSIGNAL);
        return r < 0 ? (int)r : 0;
}

/*
 * Its copy of the pipe's other end is open, so that no end-of-file comes from a process that executes another program after
 * all, without a listener; and until this one ends, nobody sees end-of-file on the socket.
 *
 * Return: a copy of the descriptor to send; -ESRCH where there is nothing to do any more; another negative errno.
 */
RAW static int wait_for_listener(struct sender *sender) {
        const struct timespec look = { .tv_nsec = SENDER_LOOK_MS * 1000000L };
        struct pollfd wait = { .fd = sender->wake[0], .events = POLLIN };
        ssize_t n;
        int fd, r;

        do
                r = sys_poll(&wait, 1, &look);
        while ((r == 0 || r == -EINTR) && __atomic_load_n(&sender->there, __ATOMIC_ACQUIRE) != 0 &&
               !__atomic_load_n(&sender->ended, __ATOMIC_ACQUIRE));
        if (r < 0 && r != -EINTR)
                return r;
        if (r <= 0 || __atomic_load_n(&sender->ended, __ATOMIC_ACQUIRE))
                return -ESRCH;
        do
                n = sys_read(sender->wake[0], &fd, sizeof(fd));
        while (n == -EINTR);
        if (n != sizeof(fd))
                return -ESRCH;
        sender->call = "fcntl";
        return sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

RAW static int serve(struct sender *sender) {
        int fd, r;

        /*
         * One that dies by its own filter says nothing, and we hold its end of the socket open, and of the pipe: without the signal
         * nobody would ever end us.
         */
        sender->call = "prctl";
        r = sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sys_getppid() != sender->parent)
                return -ESRCH;
        if (r < 0)
                return r;
        sender->call = "ppoll";
        fd = wait_for_listener(sender);
        if (fd < 0)
                return fd;
        sender->call = "sendmsg";
        /* One that has given up meanwhile may have closed it before it was copied, and the number been another's. */
        do
                r = __atomic_load_n(&sender->ended, __ATOMIC_ACQUIRE) ? -ESRCH : sender_send(sender->socket, fd);
        while (r == -EINTR);
        sys_close(fd);
        return r;
}

RAW void sender_leave(struct sender *sender) {
        if (__atomic_fetch_add(&sender->left, 1, __ATOMIC_ACQ_REL) == 1)
                sys_close(sender->wake[0]);
}

RAW int sender_task(void *arg) {
        struct sender *sender = arg;
        int r;

        sys_set_tid_address(&sender->alive);
        r = serve(sender);

        if (r < 0 && r != -ESRCH) {
                __atomic_store_n(&sender->result, r, __ATOMIC_RELEASE);
                sys_shutdown(sender->socket, SHUT_RD);          /* who waits for an answer there waits in vain */
        }
        sys_close(sender->socket);
        sender_leave(sender);
        return 0;
}
