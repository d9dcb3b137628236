/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "socket.h"

#include <stdalign.h>
#include <sys/socket.h>

void socket_pair(int ends[2]) {
        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
}

void socket_send(int socket, const void *data, size_t n, int fd, size_t n_fds) {
        alignas(struct cmsghdr) char control[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
        struct iovec part = { (void *)data, n };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        struct cmsghdr *header;
        size_t i;

        assert(n_fds <= SOCKET_FDS_MAX);
        if (n_fds) {
                memset(control, 0, sizeof(control));
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                for (i = 0; i < n_fds; i++)
                        memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
        }
        assert(sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)n);
}

void socket_send_text(int socket, const char *text) {
        socket_send(socket, text, strlen(text), -1, 0);
}

size_t socket_fill(int socket) {
        size_t n = 0;

        while (send(socket, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
                n++;
        assert(errno == EAGAIN);
        return n;
}

int socket_file(void) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        assert(fd >= 0);
        return fd;
}
