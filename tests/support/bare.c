/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "bare.h"
#include "socket.h"

#include <poll.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <time.h>

int bare_gift = 0;

int bare_send_fds(int socket, const void *data, size_t n, int fd, size_t n_fds) {
        alignas(struct cmsghdr) char control[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
        struct iovec part = { (void *)data, n };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        struct cmsghdr *header;
        ssize_t r;
        size_t i;

        memset(control, 0, sizeof(control));
        if (n_fds) {
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                for (i = 0; i < n_fds; i++)
                        memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
        }
        r = sendmsg(socket, &message, MSG_NOSIGNAL);
        return r < 0 ? -errno : 0;
}

int bare_send(int socket, const char *text) {
        return bare_send_fds(socket, text, strlen(text), -1, 0);
}

int bare_receive(int socket, char *to, size_t size, int *ret_fd) {
        alignas(struct cmsghdr) char control[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
        struct iovec part = { to, size - 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                                  .msg_controllen = sizeof(control) };
        struct pollfd poll_one = { .fd = socket, .events = POLLIN };
        struct cmsghdr *header;
        ssize_t n;
        int fd = -1;

        if (poll(&poll_one, 1, BARE_MS) == 0)
                return -ETIMEDOUT;
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;
        to[n] = '\0';
        header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_type == SCM_RIGHTS)
                memcpy(&fd, CMSG_DATA(header), sizeof(int));
        if (ret_fd)
                *ret_fd = fd;
        else if (fd >= 0)
                close(fd);
        return (int)n;
}

static int next(int socket, char **ret, int *ret_fd) {
        static char packet[BARE_PACKET + 1];
        int n = bare_receive(socket, packet, sizeof(packet), ret_fd);

        *ret = packet;
        if (n < 0)
                snprintf(packet, sizeof(packet), "%s", strerror(-n));
        return n;
}

int bare_expect(int socket, const char *text) {
        char *packet;
        int n = next(socket, &packet, NULL);

        if (n > 0 && strcmp(packet, text) == 0)
                return 0;
        fprintf(stderr, "# expected %.200s, got %s\n", text, n == 0 ? "end-of-file" : packet);
        return -1;
}

static int expect_line(int socket, const char *line) {
        char *packet;
        int fd = -1, n, r = 0;

        if (strncmp(line, "...", 3) && strcmp(line, "fd") && strcmp(line, "eof"))
                return bare_expect(socket, line);
        n = next(socket, &packet, &fd);
        if (strcmp(line, "eof") == 0)
                r = n;
        else if (strcmp(line, "fd") == 0)
                r = fd < 0;
        else
                r = n <= 0 || !strstr(packet, line + 3);
        if (fd >= 0)
                close(fd);
        if (r)
                fprintf(stderr, "# expected %s, got %s\n", line, n ? packet : "end-of-file");
        return r ? -1 : 0;
}

static int send_gift(int socket, const char *line) {
        size_t n = *line == '@' ? 2 : 1;

        line += n - 1;
        return bare_send_fds(socket, line, strlen(line), bare_gift, n);
}

int bare_play(int socket, const char *const *script) {
        int r = 0;

        for (; r == 0 && *script; script++) {
                if (**script == '<')
                        r = expect_line(socket, *script + 1);
                else if (**script == '~')
                        usleep((useconds_t)atoi(*script + 1) * 1000);
                else if (strcmp(*script, ".") == 0)
                        for (;;)
                                pause();
                else if (**script == '@')
                        r = send_gift(socket, *script + 1);
                else
                        r = bare_send(socket, *script);
        }
        if (r < -1)
                fprintf(stderr, "# sending: %s\n", strerror(-r));
        return r < 0 ? -1 : 0;
}

int bare_child(int socket, void *script) {
        return bare_play(socket, script) < 0;
}
