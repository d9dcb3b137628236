/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "console.h"
#include "kernel.h"
#include "say.h"

#define LIMIT_S 5               /* for whoever listens to have room for one more, and for the child to have sent */
#define CHECK_MS 2000           /* some microseconds, with an honest child */
#define NAME_MAX_SIZE 4096

int console_pair(int *ret_ours, int *ret_theirs, struct initsync_error *reterr) {
        int ends[2];

        /* Packets: what was looked at and what is then received is the same one. */
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return fault_call(reterr, -errno, "socketpair", NULL);
        *ret_ours = ends[0];
        *ret_theirs = ends[1];
        return 0;
}

int console_connect(const char *path, int *ret_fd, struct initsync_error *reterr) {
        const struct timeval limit = { .tv_sec = LIMIT_S };
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_fd_ int at = -1, fd = -1;
        struct stat st;

        /* There are 108 bytes for a path; by a descriptor one of any length will do. */
        at = open(path, O_PATH | O_CLOEXEC);
        if (at < 0 || fstat(at, &st) < 0)
                return fault_call(reterr, -errno, at < 0 ? "open" : "fstat", path);
        if (!S_ISSOCK(st.st_mode))
                return fault_call(reterr, -ENOTSOCK, "connect", path);
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", at);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return fault_call(reterr, -errno, fd < 0 ? "socket" : "setsockopt", path);
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return errno == EAGAIN ? fault(reterr, -ETIMEDOUT, "%s: connect: not accepted within %d s", path, LIMIT_S) :
                                         fault_call(reterr, -errno, "connect", path);
        *ret_fd = take_fd(&fd);
        return 0;
}

/* The one descriptor of the next packet, or a negative errno. With MSG_PEEK in @flags, the packet stays. */
static int receive(int socket_fd, int flags) {
        char name[NAME_MAX_SIZE];
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec data = { name, sizeof(name) };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.space),
        };
        struct cmsghdr *header;
        ssize_t n;
        int fd;

        n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT | flags);
        if (n < 0)
                return -errno;
        header = CMSG_FIRSTHDR(&message);
        /* In the space for one there is room for two: the length tells. What else came is closed with the process. */
        if (!header || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || header->cmsg_level != SOL_SOCKET ||
            header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
                return -EPROTO;
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        return fd;
}

/* No file server is asked: a file of one that says it is this device is this device, once it is open. */
static bool is_master(int fd) {
        struct statx st;
        int number;

        return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 && S_ISCHR(st.stx_mode) &&
               st.stx_rdev_major == 5 && st.stx_rdev_minor == 2 && ioctl(fd, TIOCGPTN, &number) == 0;
}

/*
 * To close a descriptor can take for ever, and so can a process's end that has one. This one is not waited for, and has
 * nothing else that anybody could wait for.
 */
static _Noreturn void check(int socket_fd) {
        bool good;
        int fd;

        initsync_child_only(&socket_fd, 1);
        for (fd = 0; fd < 3; fd++)
                close(fd);
        fd = receive(socket_fd, MSG_PEEK);
        good = fd >= 0 && is_master(fd);
        _exit(good ? 0 : 1);
}

/* Looks at the packet in a process of its own. Return: whether it is a good one. */
static bool checked(int socket_fd) {
        _cleanup_fd_ int pidfd = -1;
        struct kernel_clone_args args = {
                .flags = KERNEL_CLONE_PIDFD,
                .pidfd = (uintptr_t)&pidfd,
                .exit_signal = SIGCHLD,
        };
        struct pollfd wait = { .events = POLLIN };
        siginfo_t info = { .si_pid = 0 };
        pid_t pid;
        int r;

        fflush(NULL);
        pid = kernel_clone3(&args);
        if (pid == 0)
                check(socket_fd);
        if (pid < 0)
                return false;
        wait.fd = pidfd;
        do
                r = poll(&wait, 1, CHECK_MS);
        while (r < 0 && errno == EINTR);
        if (r == 0)
                kernel_pidfd_send_signal(pidfd, SIGKILL);
        return r > 0 && waitid(KERNEL_P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_code == CLD_EXITED &&
               info.si_status == 0;
}

int console_receive(int socket_fd, int *ret_master, struct initsync_error *reterr) {
        struct pollfd wait = { .fd = socket_fd, .events = POLLIN };
        char byte;
        int r;

        do
                r = poll(&wait, 1, LIMIT_S * 1000);
        while (r < 0 && errno == EINTR);
        /* Without room for a descriptor, none is made. */
        if (r <= 0 || recv(socket_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
                return fault(reterr, -EPROTO, "the child sent no terminal");
        /* What is not received goes with the socket: the kernel puts it away without asking anybody. */
        if (!checked(socket_fd))
                return fault(reterr, -EPROTO, "what the child sent is not a terminal's master");
        r = receive(socket_fd, 0);
        if (r < 0)
                return fault_call(reterr, r, "recvmsg", "the child's terminal");
        *ret_master = r;
        return 0;
}
