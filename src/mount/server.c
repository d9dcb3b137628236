/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include <sched.h>
#include "kernel/closing.h"
#include "kernel/syscalls.h"
#include "mount/culprit.h"
#include "mount/ours.h"
#include "mount/server.h"
#include "mount/view.h"

struct run {
        struct server *server;
        int root;               /* the embedder's root directory; -1 until a namespace is joined */
        int ours;               /* and its mount namespace, or -1 */
        int joined;             /* in the child's mount namespace now */
        int userns;             /* the user namespace that was marked last, or -1 */
        int embedder;           /* pidfd: readable when the whole embedding process has died */
};

RAW static void set_state(struct server_slot *slot, uint32_t state) {
        __atomic_store_n(&slot->state, state, __ATOMIC_SEQ_CST);
}

/* Close everything but what the task needs: the embedder's other sessions must see their ends of file. */
RAW static void keep_only(int *keep, int n) {
        int i, k, from = 0;

        for (i = 1; i < n; i++) {
                int one = keep[i];

                for (k = i; k > 0 && keep[k - 1] > one; k--)
                        keep[k] = keep[k - 1];
                keep[k] = one;
        }
        for (i = 0; i < n; i++) {
                if (keep[i] > from)
                        closing_range((unsigned)from, (unsigned)keep[i] - 1);
                from = keep[i] + 1;
        }
        closing_range((unsigned)from, ~0u);
}

/*
 * Joining changes this task's root and working directory to those of the namespace. The child's user namespace must never be
 * joined as well: the child's root would then have CAP_SYS_PTRACE over this task, and with it the embedder's memory.
 */
RAW static int join(struct run *run, struct source_result *result) {
        int r;

        if (run->joined)
                return 0;
        if (run->root < 0) {
                run->root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (run->root < 0)
                        return source_fail(result, run->root, SOURCE_OPEN_ROOT);
                /* Not that of the embedder's first thread, if another started this task. */
                run->ours = sys_openat(AT_FDCWD, "/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
        }
        r = sys_setns(run->server->pidfd, CLONE_NEWNS);
        if (r < 0)
                return source_fail(result, r, SOURCE_SETNS);
        run->joined = 1;
        return 0;
}

/*
 * A source outside of the root file system must be what the runtime sees at its path. Inside of it the child rules anyway, but not
 * over other files' owners: what gets an id mapping is compared there, too.
 */
RAW static int is_compared(const struct source_request *request) {
        int inside = request->rootfs && request->rootfs[1];     /* "/" is the whole namespace */

        return request->source_fd < 0 && !request->any_view && (!inside || request->userns_fd >= 0);
}

/* What is mounted below a source that was compared is the child's, and must not be mapped with the runtime's rights. */
RAW static int maps_below(const struct source_request *request) {
        const uint64_t all = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;

        return request->userns_fd >= 0 && (request->flags & all) == all;
}

/*
 * Where there are symlinks, a path may lie inside the root file system by another spelling than the runtime's: those of the image
 * must not lead out. Return: @fd, or in its place what the path is in there; a negative errno, and then @fd is closed.
 */
RAW static int go_inside(struct run *run, int fd, struct source_request *request, struct source_result *result) {
        int below = view_inside(run->root, request->path, request->beside);

        if (below == 0 || (below < 0 && fd < 0))
                return fd;
        if (fd >= 0)
                sys_close(fd);
        if (below < 0)
                return source_fail(result, below, SOURCE_OPENAT2);
        request->rootfs = request->beside;
        request->path += below;
        result->error = 0;
        result->call = SOURCE_NONE;
        return source_resolve(request, result);
}

/* What is mounted below what the runtime sees, @seen, is to be its own as well. Return: what to clone in the place of @fd. */
RAW static int go_home(struct run *run, int fd, int seen, struct source_request *request, int is_dir, struct source_result *result) {
        if (!maps_below(request))
                return fd;
        if (!is_dir) {
                request->flags &= ~INITSYNC_MOUNT_RECURSIVE;    /* only what was put on it meanwhile is below a file */
                return fd;
        }
        run->joined = 0;
        return ours_enter(run->ours >= 0 ? run->ours : run->embedder, seen, result);
}

/*
 * @fd is what the path is in the child's view, or negative. Return: what to clone, @fd itself or another in its place; a negative
 * errno, and then @fd is closed.
 */
RAW static int check_view(struct run *run, int fd, struct source_request *request, struct source_result *result) {
        int seen = -ELOOP, r, resolved = 0, is_dir = 0, links = request->rootfs || !request->beside;

        if (!is_compared(request) || (fd < 0 && links))
                return fd;
        if (fd >= 0)
                seen = view_compare(run->root, request->rootfs, request->path, fd, links, &resolved, &is_dir);
        if (seen == -ELOOP && !links) {
                fd = go_inside(run, fd, request, result);
                if (fd < 0 || !is_compared(request))
                        return fd;
                seen = view_compare(run->root, request->rootfs, request->path, fd, 1, &resolved, &is_dir);
        }
        if (seen < 0) {
                r = source_fail(result, seen, resolved ? SOURCE_COMPARE : SOURCE_OPENAT2);
        } else {
                r = go_home(run, fd, seen, request, is_dir, result);
                sys_close(seen);
        }
        if (r != fd)
                sys_close(fd);
        return r;
}

/* The path of @fd, for directories, without /proc. */
RAW static const char *path_of(int fd, char *to, size_t size) {
        return sys_fchdir(fd) == 0 && sys_getcwd(to, size) > 0 ? to : NULL;
}

RAW static void find_culprit(int fd, const struct source_request *request, struct source_result *result) {
        char path[4096];

        culprit_find(fd, request, path_of(fd, path, sizeof(path)), result);
}

RAW static int recount(int fd, struct source_request *request, struct source_result *result) {
        char path[4096];

        return source_recount(fd, path_of(fd, path, sizeof(path)), request, result);
}

RAW static int make(struct run *run, struct server_slot *slot) {
        struct source_result *result = &slot->result;
        int fd, tree, r = join(run, result);

        if (r < 0)
                return r;
        fd = check_view(run, source_resolve(&slot->request, result), &slot->request, result);
        if (fd < 0)
                return fd;
        tree = source_clone(fd, &slot->request, result);
        if (tree == -E2BIG && recount(fd, &slot->request, result))
                tree = source_clone(fd, &slot->request, result);
        if (tree == -EINVAL && result->mapping)
                find_culprit(fd, &slot->request, result);
        if (tree == -EPERM && result->mapping && culprit_is_mapped(fd))
                tree = source_fail(result, -EOPNOTSUPP, result->call);
        sys_close(fd);
        return tree;
}

/* Waits for room in the child's queue; the embedder's deadline ends this by a kill. */
RAW static int wait_for_room(struct run *run) {
        struct pollfd poll[2] = {
                { .fd = run->server->socket, .events = POLLOUT },
                { .fd = run->embedder, .events = POLLIN },
        };
        int r = sys_poll(poll, 2, NULL);

        return r < 0 && r != -EINTR ? r : poll[1].revents ? -ESRCH : 0;
}

/* Both packets of an answer in one call: the child then wakes for the first when the second is there, too. */
RAW static int send_both(struct run *run, struct sys_mmsghdr *packets, int n) {
        int sent = 0, r;

        while (sent < n) {
                r = sys_sendmmsg(run->server->socket, packets + sent, (unsigned)(n - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
                if (r > 0)
                        sent += r;
                else if (r == -EAGAIN)
                        r = wait_for_room(run);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

RAW static uint64_t now(void) {
        struct timespec ts = { 0, 0 };

        sys_clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

union control {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))];
};

RAW static int answer(struct run *run, struct server_slot *slot, int tree) {
        struct iovec text = { (void *)run->server->answer, run->server->n_answer }, name = { (void *)slot->name, slot->n_name };
        union control control;
        struct sys_mmsghdr packets[2];
        int r;

        packets[0].header = (struct msghdr){ .msg_iov = &text, .msg_iovlen = 1 };
        packets[1].header = (struct msghdr){ .msg_iov = &name, .msg_iovlen = 1, .msg_control = &control,
                                             .msg_controllen = CMSG_SPACE(sizeof(int)) };
        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        *(int *)(void *)CMSG_DATA(&control.header) = tree;
        slot->time_ns = now();
        set_state(slot, SERVER_ANSWERED);       /* the child may go on before this task runs again */
        r = send_both(run, packets, 2);
        return r < 0 ? source_fail(&slot->result, r, SOURCE_SENDMSG) : 0;
}

RAW static void close_fds(const struct run *run, struct source_request *request) {
        if (request->userns_fd >= 0 && request->userns_fd != run->userns)
                sys_close(request->userns_fd);
        if (request->source_fd >= 0)
                sys_close(request->source_fd);
}

RAW static int serve(struct run *run, struct server_slot *slot) {
        int tree = make(run, slot), r = tree;

        if (tree >= 0) {
                r = answer(run, slot, tree);
                sys_close(tree);
        }
        close_fds(run, &slot->request);
        set_state(slot, r < 0 ? SERVER_FAILED : SERVER_DONE);   /* from here on the slot is the broker's */
        return r;
}

RAW static int take_userns(struct run *run, int fd, unsigned mark) {
        if (mark) {
                if (run->userns >= 0)
                        sys_close(run->userns);
                run->userns = fd;
        }
        return fd;
}

/* Nothing can be served any more; read by the embedder once the control socket is at its end. */
RAW static void end_by(struct run *run, long error, const char *call) {
        run->server->ended = error < 0 ? (int)error : -EIO;
        run->server->ended_by = call;
}

/* The next order: its slot, or NULL when the embedder has gone or closed its end. */
RAW static struct server_slot *next_order(struct run *run) {
        struct pollfd poll[2] = {
                { .fd = run->server->control, .events = POLLIN },
                { .fd = run->embedder, .events = POLLIN },
        };
        struct server_order order = { .slot = 0 };
        struct iovec part = { &order, sizeof(order) };
        union control control = { .header = { .cmsg_len = 0 } };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        struct server_slot *slot;
        const int *fds;
        ssize_t r;

        do
                r = sys_poll(poll, 2, NULL);
        while (r == -EINTR);
        if (r < 0)
                end_by(run, r, "ppoll");
        if (r < 0 || poll[1].revents)
                return NULL;
        do
                r = sys_recvmsg(run->server->control, &message, MSG_CMSG_CLOEXEC);
        while (r == -EINTR);
        if (r == 0)
                return NULL;
        if (r != (ssize_t)sizeof(order) || order.slot >= SERVER_SLOTS || message.msg_flags & MSG_CTRUNC) {
                end_by(run, message.msg_flags & MSG_CTRUNC ? -EMFILE : r, "recvmsg");
                return NULL;
        }
        slot = &run->server->slots[order.slot];
        fds = (const int *)(const void *)CMSG_DATA(&control.header);
        if (slot->request.userns_fd >= 0)
                slot->request.userns_fd = order.has_userns ? take_userns(run, *fds++, order.userns_mark) : run->userns;
        if (slot->request.source_fd >= 0)
                slot->request.source_fd = *fds;
        return slot;
}

RAW static void tell(struct run *run) {
        char wake = 1;
        struct iovec part = { &wake, 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        /* A full queue means that the broker is about to be woken anyway. */
        sys_sendmsg(run->server->control, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

RAW int server_run(void *arg) {
        struct run run = { .server = arg, .root = -1, .ours = -1, .userns = -1 };
        struct server *server = arg;
        int keep[4];
        struct server_slot *slot;
        int failed = 0;

        run.embedder = sys_pidfd_open(server->embedder);
        if (run.embedder < 0)
                end_by(&run, run.embedder, "pidfd_open");
        if (run.embedder < 0 || sys_getppid() != server->embedder)
                return 1;       /* it has died already, or its pid is a stranger's */
        keep[0] = server->control;
        keep[1] = server->socket;
        keep[2] = server->pidfd;
        keep[3] = run.embedder;
        keep_only(keep, 4);
        while (!failed && (slot = next_order(&run))) {
                failed = serve(&run, slot) < 0;
                if (failed || __atomic_load_n(&server->wake, __ATOMIC_SEQ_CST))         /* see broker_wake() */
                        tell(&run);
        }
        return failed;
}
