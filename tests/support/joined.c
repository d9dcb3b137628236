/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <poll.h>
#include <sys/socket.h>
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "joined.h"
#include "namespace.h"
#include "process.h"
#include "socket.h"

int joined_child(void (*prepare)(void), int *ret_pidfd) {
        int ready[2];
        char byte;
        pid_t pid;

        assert(pipe2(ready, O_CLOEXEC) == 0);
        pid = process_fork();
        if (pid == 0) {
                close(ready[0]);
                namespace_again();
                if (prepare)
                        prepare();
                assert(write(ready[1], "", 1) == 1);
                close(ready[1]);
                for (;;)
                        pause();
        }
        close(ready[1]);
        assert(read(ready[0], &byte, 1) == 1);
        close(ready[0]);
        *ret_pidfd = sys_pidfd_open(pid);
        assert(*ret_pidfd >= 0);
        return pid;
}

int joined_join(struct joined *joined) {
        broker_init(&joined->broker);
        return broker_start(&joined->broker, joined->sockets[0], joined->pidfd, JOINED_ANSWER, strlen(JOINED_ANSWER));
}

void joined_start(struct joined *joined, void (*prepare)(void)) {
        joined->child = joined_child(prepare, &joined->pidfd);
        socket_pair(joined->sockets);
        assert(joined_join(joined) == 0);
}

void joined_stop(struct joined *joined, int timeout_ms) {
        broker_stop(&joined->broker, timeout_ms);
        close(joined->sockets[0]);
        close(joined->sockets[1]);
        close(joined->pidfd);
        process_end(joined->child);
}

int joined_post(struct joined *joined, const char *rootfs, const char *path) {
        const struct source_request request = { .rootfs = rootfs, .path = path, .userns_fd = -1, .source_fd = -1,
                                                .any_view = 1 };

        /* An empty packet would be taken for the end. */
        return broker_post(&joined->broker, &request, path[0] ? path : "/", path[0] ? strlen(path) : 1);
}

static ssize_t receive(int socket, char *to, size_t size, int *ret_fd) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(8 * sizeof(int))];
        } control;
        struct iovec part = { to, size - 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof(control) };
        struct pollfd wait = { .fd = socket, .events = POLLIN };
        ssize_t n;

        assert(poll(&wait, 1, 20000) == 1);
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        assert(n > 0 && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)));
        to[n] = '\0';
        *ret_fd = -1;
        if (message.msg_controllen) {
                assert(control.header.cmsg_type == SCM_RIGHTS && control.header.cmsg_len == CMSG_LEN(sizeof(int)));
                memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(int));
        }
        return n;
}

int joined_receive(struct joined *joined, char *to, size_t size) {
        char text[64];
        int fd;

        receive(joined->sockets[1], text, sizeof(text), &fd);
        assert(fd == -1 && strcmp(text, JOINED_ANSWER) == 0);
        receive(joined->sockets[1], to, size, &fd);
        assert(fd >= 0);
        return fd;
}

const struct server_slot *joined_failed(struct joined *joined) {
        struct pollfd wait = { .fd = joined->broker.control, .events = POLLIN };
        const struct server_slot *slot = NULL;
        long start = milliseconds();

        while (!(slot = broker_failed(&joined->broker)) && milliseconds() - start < 20000) {
                poll(&wait, 1, 20);
                broker_drain(&joined->broker);
        }
        assert(slot);
        return slot;
}

int joined_task(const struct joined *joined) {
        int pid = process_pid(joined->broker.task);

        assert(pid > 0);
        return pid;
}
