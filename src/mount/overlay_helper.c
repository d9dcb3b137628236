/* SPDX-License-Identifier: MIT */
#include <sys/mount.h>
#include <sys/prctl.h>
#include "kernel/closing.h"
#include "kernel/syscalls.h"
#include "mount/overlay_helper.h"

#define LAYERS_MODE 0700

RAW static int fail(struct overlay_job *job, int error, enum overlay_call call) {
        job->error = error;
        job->call = call;
        return error;
}

/* To be another user for files takes the rights of root over files away, and these are given back. */
RAW static int become(struct overlay_job *job) {
        struct sys_capabilities sets[2];
        int r;

        if (!job->mapped)
                return 0;
        r = sys_capget(sets);
        if (r < 0)
                return fail(job, r, OVERLAY_CAPSET);
        sys_setfsgid(job->gid);
        sys_setfsuid(job->uid);
        /* They answer with what was before: asked once more, that is what is now. */
        if ((uint32_t)sys_setfsgid((uint32_t)-1) != job->gid || (uint32_t)sys_setfsuid((uint32_t)-1) != job->uid)
                return fail(job, -EPERM, OVERLAY_SETFSUID);
        r = sys_capset(sets);
        if (r < 0)
                return fail(job, r, OVERLAY_CAPSET);
        /* Whatever the file servers of the layers do: we do not outlive the embedder. A change of ids would have cleared it. */
        sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
        return 0;
}

RAW static void number(char *to, size_t n) {
        char digits[8];
        int i = 0;

        do
                digits[i++] = (char)('0' + n % 10);
        while (n /= 10);
        while (i)
                *to++ = digits[--i];
        *to = '\0';
}

RAW static int attach(struct overlay_job *job, int fd, const char *name) {
        int r = sys_mkdirat(AT_FDCWD, name, LAYERS_MODE);

        if (r < 0)
                return fail(job, r, OVERLAY_MKDIR);
        r = sys_move_mount(fd, "", AT_FDCWD, name, SYS_MOVE_MOUNT_F_EMPTY_PATH);
        return r < 0 ? fail(job, r, OVERLAY_MOVE_MOUNT) : 0;
}

/* An empty directory in memory to attach things in, over the root directory of our own namespace. */
RAW static int enter_place(struct overlay_job *job) {
        struct sys_mount_attr private = { .propagation = MS_PRIVATE };
        int r;

        r = sys_mount_setattr(AT_FDCWD, "/", SYS_AT_RECURSIVE, &private);
        if (r < 0)
                return fail(job, r, OVERLAY_MOUNT_SETATTR);
        r = sys_move_mount(job->place, "", AT_FDCWD, "/", SYS_MOVE_MOUNT_F_EMPTY_PATH);
        if (r < 0)
                return fail(job, r, OVERLAY_MOVE_MOUNT);
        r = sys_fchdir(job->place);
        return r < 0 ? fail(job, r, OVERLAY_FCHDIR) : 0;
}

/* All in the copy of the table that we have: one that hangs keeps nothing of the embedder's open. Where it cannot be, it does. */
RAW static void keep_only(int fd) {
        if (fd > 0)
                closing_range(0, (unsigned)fd - 1);
        closing_range((unsigned)fd + 1, ~0u);
}

RAW static int answer(struct overlay_job *job, int fd) {
        char byte = 0;
        struct iovec part = { &byte, 1 };
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
        ssize_t r;

        *(int *)(void *)CMSG_DATA(&control.header) = fd;
        r = sys_sendmsg(job->answer, &message, MSG_NOSIGNAL);
        return r < 0 ? fail(job, (int)r, OVERLAY_SENDMSG) : 0;
}

RAW static int create_by_path(struct overlay_job *job) {
        char name[8];
        size_t i;
        int r = enter_place(job);

        for (i = 0; r >= 0 && i < job->n_layers; i++) {
                number(name, i);
                job->layer = i + 1;
                r = attach(job, job->layers[i], name);
        }
        if (r >= 0)
                job->layer = 0;
        if (r >= 0 && job->writable >= 0)
                r = attach(job, job->writable, "rw");
        if (r < 0)
                return r;
        r = sys_mkdirat(AT_FDCWD, "overlay", LAYERS_MODE);
        if (r < 0)
                return fail(job, r, OVERLAY_MKDIR);
        keep_only(job->answer);
        r = become(job);
        if (r < 0)
                return r;
        r = sys_mount("overlay", "overlay", "overlay", 0, job->data);
        if (r < 0)
                return fail(job, r, OVERLAY_MOUNT);
        r = sys_open_tree(AT_FDCWD, "overlay", SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC);
        return r < 0 ? fail(job, r, OVERLAY_OPEN_TREE) : answer(job, r);
}

RAW static int create(struct overlay_job *job) {
        int r;

        keep_only(job->fs);
        r = become(job);
        if (r < 0)
                return r;
        r = sys_fsconfig(job->fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0);
        return r < 0 ? fail(job, r, OVERLAY_FSCONFIG) : 0;
}

RAW int overlay_help(void *arg) {
        struct overlay_job *job = arg;
        int r = job->fs >= 0 ? create(job) : create_by_path(job);

        job->done = 1;
        return r < 0;
}
