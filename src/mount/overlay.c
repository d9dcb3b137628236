/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include "base/error.h"
#include "kernel/abandoned.h"
#include "kernel/fd.h"
#include "kernel/overlay.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mount/overlay_helper.h"
#include "mount/overlay_layers.h"
#include "mount/overlay_options.h"

/*
 * An overlay of id-mapped layers, without a mount that anybody else sees: each layer is cloned detached, id-mapped, and given to the
 * file system by descriptor.
 */

#define STACK (8 * 1024)        /* of the helper: it has nothing but a few words on it */
#define HELPER_MS 10000         /* as a mount request */
#define KILLED_MS 1000

/* What the file system itself has to say: "e overlay: ...", a message a read. */
static int context_failed(int context, int r, const char *call, const char *path, struct initsync_error *reterr) {
        char said[256], shown[256];
        ssize_t n = sys_read(context, said, sizeof(said));

        if (n <= 2)
                return overlay_layers_failed(r, call, path, reterr);
        while (n > 2 && said[n - 1] == '\n')
                n--;
        text_escape(shown, sizeof(shown), said + 2, (size_t)n - 2);
        return error_set(reterr, r, INITSYNC_STAGE_MOUNT, call, path, "overlay: %s%s%s (%s)", call, path ? " of " : "",
                         path ? path : "", shown);
}

static int set(int context, const char *option, struct initsync_error *reterr) {
        const char *value = strchr(option, '=');
        char key[OVERLAY_OPTION_MAX];
        int r;

        snprintf(key, sizeof(key), "%.*s", value ? (int)(value - option) : (int)strlen(option), option);
        if (value)
                r = sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, key, value + 1, 0);
        else
                r = sys_fsconfig(context, SYS_FSCONFIG_SET_FLAG, key, NULL, 0);
        return r < 0 ? context_failed(context, r, "fsconfig", option, reterr) : 0;
}

static int configure(const struct initsync_overlay *overlay, int *ret_context, struct initsync_error *reterr) {
        _cleanup_fd_ int context = fd_above_stdio(sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC));
        size_t i;
        int r;

        if (context < 0)
                return overlay_layers_failed(context, "fsopen", NULL, reterr);
        r = sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, "source", "overlay", 0);
        if (r < 0)
                return context_failed(context, r, "fsconfig", "source", reterr);
        for (i = 0; r >= 0 && i < overlay->n_options; i++)
                r = set(context, overlay->options[i], reterr);
        if (r >= 0)
                *ret_context = fd_take(&context);
        return r;
}

/* 6.12 knows the option and takes no detached layer by it, 6.1 knows it as a string only. */
static int is_old(int r) {
        return r == -EBADF || r == -EINVAL || r == -EOPNOTSUPP;
}

/* Return: 1 for a kernel that takes no layers by descriptor. */
static int add_layers(const struct layers *layers, int context, struct initsync_error *reterr) {
        const struct initsync_overlay *overlay = layers->overlay;
        size_t i;
        int r;

        for (i = 0; i < overlay->n_lower; i++) {
                r = sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, layers->lower[i]);
                if (i == 0 && is_old(r))
                        return 1;
                if (r < 0)
                        return context_failed(context, r, "fsconfig", overlay->lower[i], reterr);
        }
        if (!overlay->upper)
                return 0;
        r = sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "upperdir", NULL, layers->upper);
        if (r < 0)
                return context_failed(context, r, "fsconfig", overlay->upper, reterr);
        r = sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "workdir", NULL, layers->work);
        return r < 0 ? context_failed(context, r, "fsconfig", overlay->work, reterr) : 0;
}

/* Ids that the mapping knows: the container's root, if it has one. */
static uint32_t host_id(const struct initsync_idmap *extents, size_t n) {
        size_t i;

        for (i = 0; i < n; i++)
                if (extents[i].inside == 0)
                        return extents[i].outside;
        return extents[0].outside;
}

static int help_failed(const struct layers *layers, const struct overlay_job *job, struct initsync_error *reterr) {
        static const char *const calls[] = {
                [OVERLAY_SETFSUID] = "setfsuid",
                [OVERLAY_CAPSET] = "capset",
                [OVERLAY_FSCONFIG] = "fsconfig",
                [OVERLAY_MOUNT_SETATTR] = "mount_setattr",
                [OVERLAY_MOVE_MOUNT] = "move_mount",
                [OVERLAY_FCHDIR] = "fchdir",
                [OVERLAY_MKDIR] = "mkdirat",
                [OVERLAY_MOUNT] = "mount",
                [OVERLAY_OPEN_TREE] = "open_tree",
                [OVERLAY_SENDMSG] = "sendmsg",
        };

        if (!job->done)
                return error_say(reterr, -ESRCH, INITSYNC_STAGE_MOUNT, NULL, NULL,
                                 "overlay: the process that was to make it was killed");
        if (job->call == OVERLAY_FSCONFIG && job->fs >= 0)
                return context_failed(job->fs, job->error, "fsconfig", NULL, reterr);
        return overlay_layers_failed(job->error, calls[job->call], job->layer ? layers->overlay->lower[job->layer - 1] : NULL, reterr);
}

/*
 * What hangs in a dead file server ends with no signal: it is killed, and left to that.
 *
 * Return: 0 when it has ended by itself; else -ETIMEDOUT, and *@job is NULL if it hangs even then.
 */
static int await(int pidfd, struct overlay_job **job, struct initsync_error *reterr) {
        int r;

        if (process_wait(pidfd, HELPER_MS)) {
                if (task_reap(pidfd) < 0)
                        abandoned_add(pidfd, NULL, 0, NULL);
                else
                        fd_close(pidfd);
                return 0;
        }
        r = task_end(pidfd, KILLED_MS);
        if (r == 0) {
                fd_close(pidfd);
        } else if (r == -EBUSY) {
                abandoned_add(pidfd, NULL, 0, NULL);
        } else {
                abandoned_add(pidfd, *job, sizeof(**job), NULL);
                *job = NULL;
        }
        return error_say(reterr, -ETIMEDOUT, INITSYNC_STAGE_MOUNT, NULL, NULL,
                         "overlay: not made in time: a file server of its layers does not answer");
}

/* In a process of its own; see mount/overlay_helper.h. */
static int run(struct overlay_job **job, struct initsync_error *reterr) {
        /* Descriptors are its own, so that one that hangs keeps none of ours open. */
        unsigned long flags = (*job)->fs < 0 ? CLONE_NEWNS : 0;
        _Alignas(16) char stack[STACK];
        const char *call;
        int pidfd, r = task_start_apart(flags, stack, sizeof(stack), overlay_help, *job, &pidfd, &call);

        return r < 0 ? overlay_layers_failed(r, call, NULL, reterr) : await(pidfd, job, reterr);
}

/* With the credentials that the mapping asks for. */
static int help(const struct layers *layers, const struct overlay_job *wanted, struct initsync_error *reterr) {
        const struct initsync_overlay *overlay = layers->overlay;
        struct overlay_job *job, result = { .done = 0 };
        void *area = NULL;
        int r;

        r = sys_mmap(sizeof(*job), MAP_SHARED, &area);
        if (r < 0)
                return overlay_layers_failed(r, "mmap", NULL, reterr);
        job = area;
        *job = *wanted;
        if (overlay->n_uids) {
                job->mapped = 1;
                job->uid = host_id(overlay->uids, overlay->n_uids);
                job->gid = host_id(overlay->gids, overlay->n_gids);
        }
        r = run(&job, reterr);
        if (job) {
                result = *job;
                sys_munmap(job, sizeof(*job));
        }
        if (r < 0)
                return r;
        r = result.done ? result.error : -ESRCH;
        return r < 0 ? help_failed(layers, &result, reterr) : 0;
}

/* What the helper has sent before it ended. */
static int answered(int socket, int *ret_fd, struct initsync_error *reterr) {
        char byte;
        struct iovec part = { &byte, 1 };
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = 0 } };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t r;

        do
                r = sys_recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        while (r == -EINTR);
        if (r >= 0 && (message.msg_flags & MSG_CTRUNC || control.header.cmsg_len != CMSG_LEN(sizeof(int))))
                r = -EMFILE;
        if (r < 0)
                return overlay_layers_failed((int)r, "recvmsg", NULL, reterr);
        *ret_fd = *(const int *)(const void *)CMSG_DATA(&control.header);
        return 0;
}

/* The overlay, from a helper that makes it somewhere else. */
static int help_by_path(const struct layers *layers, struct overlay_job *job, int *ret_fd, struct initsync_error *reterr) {
        int pair[2], r = sys_socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, pair);
        _cleanup_fd_ int ours = -1, theirs = -1;

        if (r < 0)
                return overlay_layers_failed(r, "socketpair", NULL, reterr);
        ours = fd_above_stdio(pair[0]);
        theirs = fd_above_stdio(pair[1]);
        r = ours < 0 ? ours : theirs;
        if (r < 0)
                return overlay_layers_failed(r, "fcntl", NULL, reterr);
        job->answer = theirs;
        r = help(layers, job, reterr);
        return r < 0 ? r : answered(ours, ret_fd, reterr);
}

static int create(const struct layers *layers, int context, int *ret_fd, struct initsync_error *reterr) {
        struct overlay_job job = { .fs = context, .writable = -1 };
        int r, fd;

        if (layers->overlay->n_uids && layers->overlay->upper) {
                r = help(layers, &job, reterr);
        } else {
                r = sys_fsconfig(context, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
                if (r < 0)
                        context_failed(context, r, "fsconfig", NULL, reterr);
        }
        if (r < 0)
                return r;
        fd = sys_fsmount(context, SYS_FSMOUNT_CLOEXEC, (unsigned)layers->overlay->attr_set);
        if (fd < 0)
                return context_failed(context, fd, "fsmount", NULL, reterr);
        *ret_fd = fd;
        return 0;
}

/* Attached in a namespace of their own, by short names: the options of mount(2) have a page. */
static int create_by_path(const struct layers *layers, int *ret_fd, struct initsync_error *reterr) {
        const struct initsync_overlay *overlay = layers->overlay;
        struct overlay_job job = { .fs = -1, .layers = layers->lower, .n_layers = overlay->n_lower, .writable = layers->writable };
        struct sys_mount_attr attr = { .attr_set = overlay->attr_set };
        char data[OVERLAY_DATA_MAX];
        const char *call = "";
        _cleanup_fd_ int place = overlay_tmpfs(0, &call), fd = -1;
        size_t n = overlay->upper ? overlay_layers_common(overlay) : 0;
        int r = overlay_data(overlay, n, data, reterr);

        if (r < 0)
                return r;
        if (place < 0)
                return overlay_layers_failed(place, call, NULL, reterr);
        job.data = data;
        job.place = place;
        r = help_by_path(layers, &job, &fd, reterr);
        if (r >= 0 && overlay->attr_set) {
                r = sys_mount_setattr(fd, "", SYS_AT_EMPTY_PATH, &attr);
                if (r < 0)
                        overlay_layers_failed(r, "mount_setattr", NULL, reterr);
        }
        if (r >= 0)
                *ret_fd = fd_take(&fd);
        return r;
}

/* overlayfs that cannot write to its work directory is a read-only one, and says so to the kernel's log alone. */
static int check_writable(const struct layers *layers, int fd, struct initsync_error *reterr) {
        struct statfs have;
        int r;

        if (!layers->overlay->upper || layers->overlay->attr_set & SYS_MOUNT_ATTR_RDONLY)
                return 0;
        r = sys_fstatfs(fd, &have);
        if (r < 0)
                return overlay_layers_failed(r, "fstatfs", NULL, reterr);
        if (have.f_flags & ST_RDONLY)
                return error_say(reterr, -EROFS, INITSYNC_STAGE_MOUNT, "fsconfig", layers->overlay->upper,
                                 "overlay: %s: the kernel made it read-only: upper or work cannot be written (see its log)",
                                 layers->overlay->upper);
        return 0;
}

static int make(const struct layers *layers, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int context = -1, fd = -1;
        int r = configure(layers->overlay, &context, reterr);

        if (r >= 0)
                r = add_layers(layers, context, reterr);
        if (r < 0)
                return r;
        r = r ? create_by_path(layers, &fd, reterr) : create(layers, context, &fd, reterr);
        if (r >= 0)
                r = check_writable(layers, fd, reterr);
        if (r < 0)
                return r;
        fd = fd_above_stdio(fd_take(&fd));
        if (fd < 0)
                return overlay_layers_failed(fd, "fcntl", NULL, reterr);
        *ret_fd = fd_take(&fd);
        return 0;
}

PUBLIC int initsync_overlay_open(const struct initsync_overlay *overlay, int *ret_fd, struct initsync_error *reterr) {
        struct layers layers;
        int r = overlay_check(overlay, reterr);

        if (r < 0)
                return r;
        r = overlay_layers_open(&layers, overlay, reterr);
        if (r >= 0)
                r = make(&layers, ret_fd, reterr);
        overlay_layers_clear(&layers);
        return r < 0 ? r : 0;
}
