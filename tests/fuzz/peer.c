/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PLAIN(type) "{\"type\":\"" type "\",\"flags\":0}"
#define MOUNT(arg) "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{" arg "}}"
#define BIND(source) "\"source\":\"" source "\",\"destination\":\"/d\",\"device\":\"bind\",\"flags\":4096"

static const char *const messages[PEER_MESSAGES] = {
        PLAIN("procHooks"),
        PLAIN("procReady"),
        PLAIN("procHooksDone"),
        PLAIN("procRun"),
        PLAIN("procSeccompDone"),
        "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":3}",
        "{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":0}",
        "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}",
        "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"plain-open\"}}",
        "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"no\"}}",
        PLAIN("procError"),
        MOUNT(BIND("/etc")),
        MOUNT(BIND("/nowhere")),
        MOUNT(BIND("/proc/self/root")),
        MOUNT(BIND("/etc") ",\"id_mapping\":{\"recursive\":false,\"userns_path\":\"\",\"uid_mappings\":[{\"container_id\":0,"
                           "\"host_id\":1000,\"size\":1}],\"gid_mappings\":[{\"container_id\":0,\"host_id\":1000,\"size\":1}]}"),
        MOUNT("\"source\":\"/etc\",\"destination\":\"/d\",\"device\":\"tmpfs\",\"flags\":0"),
        MOUNT("\"source\":\"relative\",\"destination\":\"\",\"device\":\"\""),
        "/etc",
        "/nowhere",
        "{",
        "null",
        "{\"type\":\"procHooks\",\"flags\":1}",
        "{\"type\":\"procReady\",\"flags\":-1}",
        "\xff",
};

const char *peer_message(unsigned i) {
        return messages[i % PEER_MESSAGES];
}

/* Of files, pipes, directories by path alone; one of them twice. */
static int some_fd(unsigned i) {
        int pair[2];

        switch (i % 4) {
        case 0:
                return open("/dev/null", O_RDWR | O_CLOEXEC);
        case 1:
                return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        case 2:
                return memfd_create("fuzz", MFD_CLOEXEC);
        default:
                if (pipe2(pair, O_CLOEXEC) < 0)
                        return -1;
                close(pair[1]);
                return pair[0];
        }
}

static size_t add(struct msghdr *message, int type, const void *data, size_t n) {
        struct cmsghdr *header = (struct cmsghdr *)(void *)((char *)message->msg_control + message->msg_controllen);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = type;
        header->cmsg_len = CMSG_LEN(n);
        memcpy(CMSG_DATA(header), data, n);
        return CMSG_SPACE(n);
}

void peer_send(int socket, const void *data, size_t n, unsigned n_fds, int credentials) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct iovec part = { (void *)(uintptr_t)data, n };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space };
        struct ucred own = { getpid(), getuid(), getgid() };
        int fds[8];
        unsigned i;

        memset(&control, 0, sizeof(control));
        for (i = 0; i < n_fds && i < 8; i++)
                fds[i] = some_fd(i);
        n_fds = i;
        if (n_fds)
                message.msg_controllen += add(&message, SCM_RIGHTS, fds, n_fds * sizeof(int));
        if (credentials)
                message.msg_controllen += add(&message, SCM_CREDENTIALS, &own, sizeof(own));
        if (!message.msg_controllen)
                message.msg_control = NULL;
        sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (i = 0; i < n_fds; i++)
                close(fds[i]);
}

int peer_receive(int socket) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(8 * sizeof(int))];
        } control;
        char data[256];
        struct iovec part = { data, sizeof(data) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        struct cmsghdr *header;
        size_t i;

        if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
                return 0;
        for (header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
                if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
                        for (i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
                                close(((int *)(void *)CMSG_DATA(header))[i]);
        return 1;
}

int peer_fds(void) {
        DIR *directory = opendir("/proc/self/fd");
        int n = 0;

        FUZZ_CHECK(directory);
        while (readdir(directory))
                n++;
        closedir(directory);
        return n;
}

int64_t peer_now(void) {
        struct timespec time;

        clock_gettime(CLOCK_MONOTONIC, &time);
        return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}
