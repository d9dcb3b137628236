/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include "base/error.h"
#include "base/idmap.h"
#include "base/number.h"
#include "kernel/abandoned.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mount/helper.h"
#include "mount/userns.h"

/*
 * A user namespace needs a process to be made, and a descriptor is all that is wanted of it. The process is a task that shares
 * our memory and descriptors (so that it costs the same whatever the embedder holds), does nothing but wait, and is killed and
 * reaped before the descriptor leaves this file. Its files in /proc are opened first and its pidfd is asked afterwards whether
 * it is still there: what was opened is then its own, not that of a stranger who got the number.
 */

void (*userns_test_stage)(enum userns_stage stage, int pid, int pidfd);

struct helper {
        int pid, pidfd;
        int procfs;
        int uid_map, gid_map;
};

static void stage(const struct helper *helper, enum userns_stage at) {
        if (userns_test_stage)
                userns_test_stage(at, helper->pid, helper->pidfd);
}

static int died(struct initsync_error *reterr) {
        return error_say(reterr, -ESRCH, INITSYNC_STAGE_USERNS, NULL, NULL,
                         "the helper process of the user namespace was killed before its maps were written");
}

/* Is it there, as what was opened by its number must then have been its own: 0, or a negative errno. */
static int is_there(const struct helper *helper, struct initsync_error *reterr) {
        int r = sys_pidfd_send_signal(helper->pidfd, 0);

        if (r == -ESRCH)
                return died(reterr);
        return r < 0 ? error_set(reterr, r, INITSYNC_STAGE_USERNS, "pidfd_send_signal", NULL, "user namespace: its helper process") : 0;
}

static int open_file(const struct helper *helper, const char *name, struct initsync_error *reterr) {
        int fd = procfs_open_pid(helper->procfs, helper->pid, name, O_RDWR);

        if (fd == -ENOENT || fd == -ESRCH)
                return died(reterr);
        if (fd < 0)
                return error_set(reterr, fd, INITSYNC_STAGE_USERNS, "openat2", name, "user namespace: openat2 of /proc/%d/%s%s",
                                 helper->pid, name,
                                 fd == -EACCES && sys_prctl(PR_GET_DUMPABLE, 0) != 1 ?
                                         " (root's, since this process is not dumpable: see prctl(2), PR_SET_DUMPABLE)" : "");
        return fd;
}

static int open_maps(struct helper *helper, struct initsync_error *reterr) {
        helper->uid_map = open_file(helper, "uid_map", reterr);
        if (helper->uid_map < 0)
                return helper->uid_map;
        helper->gid_map = open_file(helper, "gid_map", reterr);
        return helper->gid_map;
}

/* The map must arrive in one write, and as it was meant: read back, it is compared. */
static int write_map(int fd, const char *text, size_t n) {
        ssize_t r;

        do
                r = sys_write(fd, text, n);
        while (r == -EINTR);
        return r < 0 ? (int)r : (size_t)r == n ? 0 : -EIO;
}

/* Without CAP_SETGID a process may map its own group only, and only once it has given up setgroups(2). */
static int write_gid_map(const struct helper *helper, const char *text, size_t n) {
        _cleanup_fd_ int setgroups = -1;
        int r = write_map(helper->gid_map, text, n);

        if (r != -EPERM)
                return r;
        setgroups = procfs_open_pid(helper->procfs, helper->pid, "setgroups", O_RDWR);
        if (setgroups < 0 || sys_write(setgroups, "deny", 4) != 4)
                return r;
        return write_map(helper->gid_map, text, n);
}

static const char *read_number(const char *text, uint32_t *ret) {
        uint64_t value;

        text += strspn(text, " ");
        if (number_read(&text, UINT32_MAX, &value) < 0)
                return NULL;
        *ret = (uint32_t)value;
        return text;
}

/* The kernel gives as many lines as fit into a page at once: after so few bytes no other was left. */
#define READ_SHORT 2048

/* 1, 0, or a negative errno. */
static int same_map(int fd, const struct initsync_idmap *wanted, size_t n_wanted) {
        struct initsync_idmap got[INITSYNC_IDMAP_MAX], want[INITSYNC_IDMAP_MAX];
        char text[INITSYNC_IDMAP_MAX * 33 + 1];
        const char *at = text;
        size_t used = 0, n = 0;
        ssize_t r;

        while ((r = sys_pread(fd, text + used, sizeof(text) - 1 - used, (off_t)used)) > 0 || r == -EINTR) {
                used += r > 0 ? (size_t)r : 0;
                if (r > 0 && r < READ_SHORT)
                        break;
        }
        if (r < 0)
                return (int)r;
        text[used] = '\0';
        while (*at && n < INITSYNC_IDMAP_MAX) {
                at = read_number(at, &got[n].inside);
                at = at ? read_number(at, &got[n].outside) : NULL;
                at = at ? read_number(at, &got[n].count) : NULL;
                if (!at || *at++ != '\n')
                        return 0;
                n++;
        }
        memcpy(want, wanted, n_wanted * sizeof(*want));
        idmap_sort(want, n_wanted);
        idmap_sort(got, n);
        return idmap_equal(got, n, want, n_wanted);
}

static int set_map(const struct helper *helper, int is_gid, const struct initsync_idmap *extents, size_t n,
                   struct initsync_error *reterr) {
        const char *name = is_gid ? "gid_map" : "uid_map";
        int fd = is_gid ? helper->gid_map : helper->uid_map, r;
        char text[IDMAP_TEXT_MAX];
        int length = idmap_text(extents, n, text);

        r = is_gid ? write_gid_map(helper, text, (size_t)length) : write_map(fd, text, (size_t)length);
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_USERNS, "write", name,
                                 "user namespace: write of %s (%zu extents, first %u:%u:%u)", name, n, extents[0].inside,
                                 extents[0].outside, extents[0].count);
        r = same_map(fd, extents, n);
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_USERNS, "pread", name, "user namespace: pread of %s", name);
        if (r == 0)
                return error_say(reterr, -EIO, INITSYNC_STAGE_USERNS, "pread", name,
                                 "user namespace: %s does not read as it was written", name);
        return 0;
}

/* The ioctl since 6.11, and no /proc; before, the file. */
static int open_namespace(const struct helper *helper, struct initsync_error *reterr) {
        _cleanup_fd_ int directory = -1;
        const char *call = "ioctl";
        int fd = sys_ioctl(helper->pidfd, SYS_PIDFD_GET_USER_NAMESPACE, NULL);

        if (fd == -ENOTTY || fd == -EINVAL || fd == -EPERM) {
                directory = procfs_open_pid(helper->procfs, helper->pid, "ns", O_PATH | O_DIRECTORY);
                call = directory < 0 ? "openat2" : "openat";
                fd = directory < 0 ? directory : sys_openat(directory, "user", O_RDONLY | O_CLOEXEC);
        }
        fd = fd_above_stdio(fd);
        if (fd == -ESRCH || fd == -ENOENT)
                return died(reterr);
        if (fd < 0)
                return error_set(reterr, fd, INITSYNC_STAGE_USERNS, call, NULL, "user namespace: %s of it", call);
        return fd;
}

static int configure(struct helper *helper, const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids,
                     size_t n_gids, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        int r;

        stage(helper, USERNS_CLONED);
        r = open_maps(helper, reterr);
        if (r < 0)
                return r;
        stage(helper, USERNS_OPENED);
        r = is_there(helper, reterr);
        if (r < 0)
                return r;
        r = set_map(helper, 0, uids, n_uids, reterr);
        if (r >= 0)
                r = set_map(helper, 1, gids, n_gids, reterr);
        if (r < 0)
                return r;
        stage(helper, USERNS_WRITTEN);
        fd = open_namespace(helper, reterr);
        if (fd < 0)
                return fd;
        r = is_there(helper, reterr);
        return r < 0 ? r : fd_take(&fd);
}

static int clone_failed(int r, const char *call, struct initsync_error *reterr) {
        const char *why = "";

        if (r == -ENOSPC || r == -EUSERS)
                why = " (user.max_user_namespaces, or 32 levels of nesting, is reached)";
        else if (r == -EPERM)
                why = " (not permitted here: a filter, a security module, or a caller in a chroot)";
        if (r == -EUSERS)
                r = -ENOSPC;            /* what kernels below 4.9 said */
        return error_set(reterr, r, INITSYNC_STAGE_USERNS, call, NULL, "user namespace: %s%s", call, why);
}

PUBLIC int initsync_userns_open(const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids,
                                size_t n_gids, int *ret_fd, struct initsync_error *reterr) {
        _Alignas(16) char stack[2048];  /* of the helper, which is gone before this function returns */
        struct helper_life life = { .embedder = sys_getpid() };
        struct helper helper = { .uid_map = -1, .gid_map = -1 };
        const char *call;
        _cleanup_fd_ int procfs = -1;
        int r = idmap_check(uids, n_uids, "uid map", reterr);

        if (r >= 0)
                r = idmap_check(gids, n_gids, "gid map", reterr);
        if (r < 0)
                return r;
        procfs = procfs_open();
        if (procfs < 0 && procfs != -ENOSYS)
                return error_set(reterr, procfs, INITSYNC_STAGE_USERNS, "openat", "/proc", "user namespace: openat of /proc");
        if (procfs < 0)
                return error_set(reterr, procfs, INITSYNC_STAGE_USERNS, "openat", "/proc",
                                 "user namespace: /proc must be the procfs of this pid namespace");
        r = procfs_keeps_pids(procfs);
        if (r < 0 && r != -EINVAL)
                return error_set(reterr, r, INITSYNC_STAGE_USERNS, "readlinkat", "/proc", "user namespace: readlinkat in /proc");
        if (r < 0)
                return error_say(reterr, r, INITSYNC_STAGE_USERNS, "clone", NULL, "user namespace: not from a thread that has "
                                 "called unshare(CLONE_NEWPID), whose first child would be the new namespace's init");
        helper.procfs = procfs;
        helper.pid = task_start(CLONE_NEWUSER | CLONE_FILES, stack, sizeof(stack), helper_wait, &life, &helper.pidfd, &call);
        if (helper.pid < 0)
                return clone_failed(helper.pid, call, reterr);
        r = configure(&helper, uids, n_uids, gids, n_gids, reterr);
        if (r < 0 && process_dead(helper.pidfd))
                r = died(reterr);       /* an ordinary user gets EACCES for the files of a zombie, for one */
        fd_close(helper.uid_map);
        fd_close(helper.gid_map);
        __atomic_store_n(&life.over, 1, __ATOMIC_RELEASE);
        if (task_end(helper.pidfd, -1) < 0)
                abandoned_add(helper.pidfd, NULL, 0, NULL);     /* it has ended, but a tracer keeps it */
        else
                fd_close(helper.pidfd);
        if (r < 0)
                return r;
        *ret_fd = r;
        return 0;
}

int userns_check(int fd) {
        return sys_ioctl(fd, SYS_NS_GET_NSTYPE, NULL) == CLONE_NEWUSER ? 0 : -EINVAL;
}
