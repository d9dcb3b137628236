/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "kernel/origin.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "session/parent.h"
#include "wire/packet.h"

#define STOP_MS 100             /* what freeing waits for a killed mount task, which is gone in microseconds unless it hangs */

#define ALL_FLAGS                                                                                                \
        (INITSYNC_PARENT_ALLOW_ANY_MOUNT | INITSYNC_PARENT_NO_KILL | INITSYNC_PARENT_EXPECT_HOOKS | INITSYNC_PARENT_SECCOMP_FD)

static int wrong(struct initsync_error *reterr, const char *field, const char *expected) {
        return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL, "options: %s: expected %s", field, expected);
}

static int bad_time(int ms) {
        return ms < INITSYNC_NO_LIMIT;
}

static int check_options(const struct initsync_parent_options *options, struct initsync_error *reterr) {
        if (options->size != sizeof(*options))
                return wrong(reterr, "size", "sizeof(struct initsync_parent_options)");
        if (options->flags & ~(uint64_t)ALL_FLAGS)
                return wrong(reterr, "flags", "known bits only");
        if (bad_time(options->timeout_ms) || bad_time(options->work_ms) || bad_time(options->budget_ms))
                return wrong(reterr, "timeout_ms, work_ms, budget_ms", "milliseconds, 0 or INITSYNC_NO_LIMIT");
        if (options->grace_ms < 0)
                return wrong(reterr, "grace_ms", "milliseconds, or 0");
        if (options->rootfs && options->rootfs[0] != '/')
                return wrong(reterr, "rootfs", "an absolute path");
        if (options->n_mounts > LIMIT_MOUNTS)
                return wrong(reterr, "n_mounts", "at most 1024");
        if (options->n_mounts && !options->mounts)
                return wrong(reterr, "mounts", "as many as n_mounts says");
        return 0;
}

static int default_ms(int ms, int normal) {
        return ms == 0 ? normal : ms;
}

static void copy_options(struct initsync_parent *parent, const struct initsync_parent_options *options) {
        parent->options = *options;
        parent->options.mounts = NULL;
        parent->options.rootfs = NULL;
        parent->options.timeout_ms = default_ms(options->timeout_ms, 10000);
        parent->options.work_ms = default_ms(options->work_ms, INITSYNC_NO_LIMIT);
        parent->options.budget_ms = default_ms(options->budget_ms, 60000);
        parent->options.grace_ms = default_ms(options->grace_ms, 500);
        parent->trace = (struct trace){ options->trace, options->userdata };
        parent->cache = options->userns_cache;
}

static int open_loop(struct initsync_parent *parent, const char **ret_call) {
        int r;

        *ret_call = "epoll_create1";
        parent->epoll = fd_above_stdio(sys_epoll_create());
        if (parent->epoll < 0)
                return parent->epoll;
        *ret_call = "timerfd_create";
        parent->timer = fd_above_stdio(sys_timerfd_create());
        if (parent->timer < 0)
                return parent->timer;
        *ret_call = "epoll_ctl";
        r = sys_epoll_ctl(parent->epoll, EPOLL_CTL_ADD, parent->pidfd, EPOLLIN);
        return r < 0 ? r : sys_epoll_ctl(parent->epoll, EPOLL_CTL_ADD, parent->timer, EPOLLIN);
}

/* The child cannot put descriptors into our queue from here on, where the kernel knows how to refuse them. */
static int refuse_descriptors(int socket) {
        int off = 0;

        return sys_setsockopt(socket, SOL_SOCKET, SYS_SO_PASSRIGHTS, &off, sizeof(off)) == 0;
}

static int take_child(struct initsync_parent *parent, int pidfd, struct initsync_error *reterr) {
        int r = sys_pidfd_send_signal(pidfd, 0);

        /* EPERM: a child with other credentials is still one; a dead one is found out by its end-of-file. */
        if (r == -EBADF || r == -EINVAL)
                return error_set(reterr, -EBADF, INITSYNC_STAGE_WIRE, "pidfd_send_signal", NULL, "pidfd: expected one");
        parent->pidfd = fd_dup(pidfd);
        if (parent->pidfd < 0)
                return error_set(reterr, parent->pidfd, INITSYNC_STAGE_WIRE, "fcntl", NULL, "pidfd");
        return 0;
}

static int start(struct initsync_parent *parent, int pidfd, const struct initsync_parent_options *options,
                 struct initsync_error *reterr) {
        uint64_t now = clock_now();
        const char *call;
        int r = take_child(parent, pidfd, reterr);

        if (r < 0)
                return r;
        r = policy_init(&parent->policy, options->rootfs, options->mounts, options->n_mounts, reterr);
        if (r < 0)
                return r;
        r = open_loop(parent, &call);
        if (r == -EPERM)
                return error_say(reterr, -EBADF, INITSYNC_STAGE_WIRE, "epoll_ctl", NULL, "pidfd: expected one, not another file");
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, call, NULL, "event loop of a conversation");
        sys_fcntl(parent->socket, F_SETFD, FD_CLOEXEC);
        packet_only_rights(parent->socket);
        parent->refuses = refuse_descriptors(parent->socket);
        deadline_set(&parent->deadlines, DEADLINE_FIRST, parent->options.timeout_ms, now);
        deadline_set(&parent->deadlines, DEADLINE_BUDGET, parent->options.budget_ms, now);
        deadline_set(&parent->deadlines, DEADLINE_LOOK, LOOK_MS, now);
        r = parent_watch(parent);
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "epoll_ctl", NULL, "event loop of a conversation");
        parent_arm(parent);
        return 0;
}

PUBLIC int initsync_parent_new(struct initsync_parent **ret_parent, int socket_fd, int pidfd,
                               const struct initsync_parent_options *options, struct initsync_error *reterr) {
        _cleanup_fd_ int socket = fd_above_stdio(socket_fd);
        struct initsync_parent *parent;
        int r = check_options(options, reterr);

        if (r < 0)
                return r;
        if (socket < 0 && socket_fd >= 0 && socket != -EBADF)
                return error_set(reterr, socket, INITSYNC_STAGE_WIRE, "fcntl", NULL, "socket: a number above 2 for it");
        r = packet_check_socket(socket);
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, "getsockopt", NULL, "socket: expected AF_UNIX, SOCK_SEQPACKET");
        parent = malloc(sizeof(*parent));
        if (!parent)
                return error_set(reterr, -ENOMEM, INITSYNC_STAGE_WIRE, "malloc", NULL, "conversation");
        /* All but the last member, the receive buffer, whose pages are touched as far as packets are long. */
        memset(parent, 0, offsetof(struct initsync_parent, mount));
        parent->owner = origin();
        parent->pidfd = parent->epoll = parent->timer = parent->stat_fd = parent->userns_fd = -1;
        parent->given[0] = parent->given[1] = -1;
        parent->unsent = -1;
        parent->socket = socket;
        fd_take(&socket);
        parent->touched = 0;
        error_clear(&parent->error);
        broker_init(&parent->broker);
        copy_options(parent, options);
        r = start(parent, pidfd, options, reterr);
        if (r < 0) {
                initsync_parent_free(parent);
                return r;
        }
        *ret_parent = parent;
        return 0;
}

PUBLIC struct initsync_parent *initsync_parent_free(struct initsync_parent *parent) {
        int kept = errno;

        if (!parent)
                return NULL;
        if (parent->owner == origin()) {
                /* Also when a forked process, or a mount task that hangs, still has a copy of the socket. */
                if (parent->socket >= 0)
                        sys_shutdown(parent->socket, SHUT_RDWR);
                parent_unwatch_mount_task(parent);
                broker_stop(&parent->broker, STOP_MS);
                parent_close_given(parent);
        } else {
                broker_release(&parent->broker);
        }
        fd_close(parent->socket);
        fd_close(parent->pidfd);
        fd_close(parent->epoll);
        fd_close(parent->timer);
        fd_close(parent->stat_fd);
        fd_close(parent->userns_fd);
        if (parent->cache != parent->options.userns_cache)
                initsync_userns_cache_free(parent->cache);
        free(parent->last_maps);
        parent_free_grants(parent);
        policy_free(&parent->policy);
        free(parent);
        errno = kept;
        return NULL;
}

PUBLIC int initsync_parent_get_fd(const struct initsync_parent *parent) {
        return parent->owner == origin() ? parent->epoll : -ECHILD;
}

PUBLIC int initsync_parent_timeout_ms(const struct initsync_parent *parent) {
        uint64_t next = deadline_next(&parent->deadlines), now = clock_now();

        if (parent->owner != origin())
                return -ECHILD;
        if (parent->phase == PARENT_ENDED)
                return 0;
        if (!next)
                return -1;
        return next <= now ? 0 : (int)((next - now + 999999u) / 1000000u);
}

PUBLIC int initsync_parent_child_status(const struct initsync_parent *parent, int *ret_status) {
        if (parent->owner != origin())
                return -ECHILD;
        return process_dead(parent->pidfd) && process_status(parent->pidfd, ret_status);
}
