/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "agent.h"
#include "cleanup.h"
#include "say.h"
#include "state.h"

#define PATH "config.json: linux.seccomp.listenerPath"
#define RETRY_MS 20             /* of connect(2) to a full queue, for whose end nothing can be polled */

struct wait {
        int64_t end_ms;
        const int *stop;
};

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Return: 0 when @fd is ready, or @most_ms have passed; -ETIMEDOUT; -EINTR when there is no point in going on. */
static int wait_for(const struct wait *wait, int fd, int64_t most_ms) {
        struct pollfd look[] = {
                { .fd = wait->stop[0], .events = POLLIN },
                { .fd = wait->stop[1], .events = POLLIN },
                { .fd = fd, .events = POLLOUT },
        };
        int64_t left = wait->end_ms - now_ms();
        int n;

        if (left <= 0)
                return -ETIMEDOUT;
        n = poll(look, 3, (int)(left < most_ms ? left : most_ms));
        if (n < 0 && errno != EINTR)
                return -errno;
        return n > 0 && (look[0].revents || look[1].revents) ? -EINTR : 0;
}

static int connect_to(const char *path, const struct wait *wait, int *ret_fd) {
        _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int r;

        if (fd < 0)
                return -errno;
        memcpy(address.sun_path, path, strlen(path) + 1);
        while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = wait_for(wait, -1, RETRY_MS);
                if (r < 0)
                        return r;
        }
        *ret_fd = take_fd(&fd);
        return 0;
}

/* The descriptor goes with the first part, as the specification wants it. */
static int send_all(int fd, const char *text, int listener, const struct wait *wait) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct iovec part = { (void *)(uintptr_t)text, strlen(text) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t n;
        int r;

        memcpy(CMSG_DATA(&control.header), &listener, sizeof(int));
        while (part.iov_len > 0) {
                n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n >= 0) {
                        part.iov_base = (char *)part.iov_base + n;
                        part.iov_len -= (size_t)n;
                        message.msg_control = NULL;
                        message.msg_controllen = 0;
                } else if (errno == EAGAIN || errno == EINTR) {
                        r = wait_for(wait, fd, INT32_MAX);
                        if (r < 0)
                                return r;
                } else {
                        return -errno;
                }
        }
        return 0;
}

static void value_freep(struct json_object **value) {
        json_object_put(*value);
}

/* Consumes @value. */
static bool add(struct json_object *object, const char *key, struct json_object *value) {
        if (value && json_object_object_add(object, key, value) == 0)
                return true;
        json_object_put(value);
        return false;
}

static struct json_object *names(void) {
        struct json_object *array = json_object_new_array(), *name = json_object_new_string("seccompFd");

        if (array && name && json_object_array_add(array, name) == 0)
                return array;
        json_object_put(name);
        json_object_put(array);
        return NULL;
}

/* ContainerProcessState, in the version of the state that is in it. */
static struct json_object *process_state(const struct bundle *bundle, pid_t pid) {
        _cleanup_(value_freep) struct json_object *object = json_object_new_object();
        struct json_object *state = state_new(bundle, "creating", pid), *version;

        if (!object || !json_object_object_get_ex(state, "ociVersion", &version) ||
            !add(object, "ociVersion", json_object_get(version)) ||
            !add(object, "fds", names()) ||
            !add(object, "pid", json_object_new_int64(pid)) ||
            (bundle->filter.metadata && !add(object, "metadata", json_object_new_string(bundle->filter.metadata)))) {
                json_object_put(state);
                return NULL;
        }
        return add(object, "state", state) ? take_ptr(object) : NULL;
}

int agent_give(const struct bundle *bundle, pid_t pid, int listener, int timeout_ms, const int stop[static 2],
               struct initsync_error *reterr) {
        const char *path = bundle->filter.listener_path, *text, *call = "connect";
        int limit_ms = timeout_ms > 0 && timeout_ms < AGENT_TIMEOUT_MS ? timeout_ms : AGENT_TIMEOUT_MS;
        struct wait wait = { now_ms() + limit_ms, stop };
        _cleanup_(value_freep) struct json_object *state = process_state(bundle, pid);
        _cleanup_fd_ int fd = -1;
        int r;

        text = state ? json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
        if (!text)
                return fault_call(reterr, -ENOMEM, "malloc", "the container's state");
        r = connect_to(path, &wait, &fd);
        if (r == 0) {
                call = "sendmsg";
                r = send_all(fd, text, listener, &wait);
        }
        if (r == 0)
                return 0;
        if (r == -ETIMEDOUT)
                return fault(reterr, r, PATH ": %s: %s: the agent %s", path, call,
                             fd < 0 ? "does not accept connections" : "does not read what it is sent");
        if (r == -EINTR)
                return fault(reterr, r, PATH ": %s: %s: given up, since the container ended, or a signal came", path, call);
        fault_call(reterr, r, call, path);
        return fault_in(reterr, PATH);
}
