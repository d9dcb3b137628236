/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "fault-scenes.h"

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "session/watch.h"
#include "support/bare.h"
#include "support/fault.h"
#include "support/handshake_child.h"
#include "support/place.h"
#include "support/process.h"

/* The first failure of a scene is what is looked at; those that follow must be in order, too. */
static void note(struct handshake *handshake, const char *call, int r, const struct initsync_error *error) {
        struct handshake_side side = { call, r, *error };
        struct handshake one = { .parent = side, .no_parent = 1 };
        char text[512];

        if (r >= 0)
                return;
        if (!handshake->parent.call)
                handshake->parent = side;
        else if (handshake_judge(&one, text, sizeof(text)))
                handshake->parent = side;
}

#define NOTE(call, r) note(handshake, call, r, (memset(&poison, 0x5a, sizeof(poison)), &error))

static void scene_features(struct handshake *handshake) {
        size_t i;

        handshake->no_parent = 1;
        for (i = 0; initsync_feature_name(i); i++)
                if (initsync_feature(initsync_feature_name(i)) > 1)
                        handshake->unlike = 1;
}

static void scene_userns(struct handshake *handshake) {
        struct initsync_userns_cache *cache = NULL;
        struct initsync_error error, poison;
        int fd = -1, again = -1, r;

        handshake->no_parent = 1;
        r = initsync_userns_open(handshake_map, 1, handshake_map, 1, &fd, &error);
        NOTE("initsync_userns_open", r);
        if (r == 0)
                close(fd);
        if (initsync_userns_cache_new(&cache, 2) < 0)
                return;
        r = initsync_userns_cache_get(cache, handshake_map, 1, handshake_map, 1, &fd, &error);
        NOTE("initsync_userns_cache_get", r);
        if (r == 0)
                close(fd);
        r = initsync_userns_cache_get(cache, handshake_map, 1, handshake_map, 1, &again, &error);
        NOTE("initsync_userns_cache_get", r);
        if (r == 0)
                close(again);
        initsync_userns_cache_free(cache);
}

/* With nothing but the parts: a tree whose submount takes no map, a file, a file onto a directory, an attached mount. */
static void scene_mount_open(struct handshake *handshake) {
        struct initsync_mount mounts[2] = { handshake_mount(HANDSHAKE_BAD, 1), handshake_mount(HANDSHAKE_SOURCE, 1) };
        struct initsync_error error;
        int i, r, fd = -1;

        handshake->no_parent = 1;
        mounts[0].flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
        for (i = 0; i < 2; i++) {
                memset(&error, 0x5a, sizeof(error));
                r = initsync_mount_open(&mounts[i], &fd, &error);
                if (i > 0)
                        note(handshake, "initsync_mount_open", r, &error);
                else if (r == 0)
                        handshake->unlike = 1;
                else if (r != -EINVAL)
                        note(handshake, "initsync_mount_open", r, &error);
                if (r == 0)
                        close(fd);
        }
}

static void scene_attach(struct handshake *handshake) {
        static const struct {
                const char *target;
                int good;
        } tries[] = { { "", 0 }, { "/file", 1 } };
        char path[256];
        struct initsync_mount mount = handshake_mount(HANDSHAKE_SOURCE, 0);
        struct initsync_error error;
        int i, r, fd, target;

        handshake->no_parent = 1;
        snprintf(path, sizeof(path), "%s/file", handshake_path[HANDSHAKE_ELSEWHERE]);
        mount.source = path;
        for (i = 0; i < 2; i++) {
                memset(&error, 0x5a, sizeof(error));
                r = initsync_mount_open(&mount, &fd, &error);
                note(handshake, "initsync_mount_open", r, &error);
                if (r < 0)
                        continue;
                snprintf(path, sizeof(path), "%s%s", handshake_path[HANDSHAKE_ELSEWHERE], tries[i].target);
                target = open(path, O_PATH | O_CLOEXEC);
                memset(&error, 0x5a, sizeof(error));
                r = initsync_attach(fd, target, &error);
                if (r == 0 && !tries[i].good)
                        handshake->unlike = 1;
                if (r < 0 && (tries[i].good || (r != -ENOTDIR && r != -EINVAL)))
                        note(handshake, "initsync_attach", r, &error);
                close(fd);
                close(target);
                if (r == 0)
                        syscall(SYS_umount2, path, 2 /* MNT_DETACH */);
                snprintf(path, sizeof(path), "%s/file", handshake_path[HANDSHAKE_ELSEWHERE]);
        }
}

/* How a silent child is looked at, without the second that passes before that. */
static void scene_look(struct handshake *handshake) {
        int pid = process_copy(), pidfd, fd = -1;
        enum watch_state state;

        handshake->no_parent = 1;
        if (pid == 0)
                for (;;)
                        syscall(SYS_pause);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        state = watch_look(pidfd, &fd);
        if (state != WATCH_UNKNOWN && state != WATCH_ALIVE)
                handshake->unlike = 1;
        if (fd >= 0)
                close(fd);
        process_end(pid);
        close(pidfd);
}

static int silent(int socket) {
        char byte;

        return (int)read(socket, &byte, 1);
}

/* Not a word: @run is 0 for a parent that is freed before anything happened. */
static void with_silent_child(struct handshake *handshake, int run) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct initsync_parent *parent = NULL;
        struct initsync_error error;
        int ours, theirs, pid, pidfd, r = initsync_pair(&ours, &theirs);

        handshake->no_parent = 1;
        if (r < 0)
                return;
        options.timeout_ms = 30;
        options.grace_ms = 30;
        pid = process_copy();
        if (pid == 0) {
                fault_role = FAULT_CHILD;
                close(ours);
                _exit(silent(theirs) < 0);
        }
        close(theirs);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        memset(&error, 0x5a, sizeof(error));
        r = initsync_parent_new(&parent, ours, pidfd, &options, &error);
        note(handshake, "initsync_parent_new", r, &error);
        if (r == 0 && run) {
                memset(&error, 0x5a, sizeof(error));
                r = initsync_parent_run(parent, &error);
                if (r != -ETIMEDOUT)
                        note(handshake, "initsync_parent_run", r, &error);
                if (r >= 0)
                        handshake->unlike = 1;
        }
        initsync_parent_free(parent);
        process_end(pid);
        close(pidfd);
}

static void scene_silent(struct handshake *handshake) {
        with_silent_child(handshake, 1);
}

static void scene_freed(struct handshake *handshake) {
        with_silent_child(handshake, 0);
}

/* The other side is runc's: a plain bind comes as an open descriptor. */
static void scene_plain_open(struct handshake *handshake) {
        struct initsync_mount mount = handshake_mount(HANDSHAKE_SOURCE, 0);
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int pair[2], fd = -1, source = open(mount.source, O_PATH | O_CLOEXEC), r;

        handshake->no_parent = 1;
        fault_role = FAULT_CHILD;
        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        assert(bare_send(pair[0], BARE_PLAIN_OPEN) == 0);
        assert(bare_send_fds(pair[0], mount.source, strlen(mount.source), source, 1) == 0);
        close(source);
        options.timeout_ms = 50;
        mount.attr_set = 1;
        memset(&error, 0x5a, sizeof(error));
        r = initsync_child_new(&child, pair[1], &options, &error);
        note(handshake, "initsync_child_new", r, &error);
        memset(&error, 0x5a, sizeof(error));
        r = r < 0 ? r : initsync_child_mount(child, &mount, &fd, &error);
        if (child)
                note(handshake, "initsync_child_mount", r, &error);
        if (r == 0)
                close(fd);
        initsync_child_free(child);
        close(pair[0]);
        fault_role = FAULT_PARENT;
}

/* Root's own map, so that an ordinary user can have it as well. */
static void scene_overlay(struct handshake *handshake) {
        const char *const lower[] = { handshake_path[HANDSHAKE_TREE] };
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;
        char upper[160], work[160];
        struct initsync_error error;
        int fd, r;

        handshake->no_parent = 1;
        snprintf(upper, sizeof(upper), "%s/upper", handshake_path[HANDSHAKE_SUB]);
        snprintf(work, sizeof(work), "%s/work", handshake_path[HANDSHAKE_SUB]);
        overlay.lower = lower;
        overlay.n_lower = 1;
        overlay.upper = upper;
        overlay.work = work;
        overlay.uids = overlay.gids = handshake_map;
        overlay.n_uids = overlay.n_gids = 1;
        overlay.attr_set = 2;           /* MOUNT_ATTR_NOSUID */
        memset(&error, 0x5a, sizeof(error));
        r = initsync_overlay_open(&overlay, &fd, &error);
        note(handshake, "initsync_overlay_open", r, &error);
        if (r == 0)
                close(fd);
}

/* The first of a PID namespace whose /proc is not mounted makes one of its own. */
static void scene_own_proc(struct handshake *handshake) {
        long pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
        int status;

        assert(pid >= 0);
        if (pid == 0) {
                scene_userns(handshake);
                _exit(0);
        }
        assert(waitpid((pid_t)pid, &status, 0) == pid && status == 0);
}

static void seal(struct handshake *handshake, enum initsync_seal how) {
        struct initsync_error error;
        int fd, r;

        handshake->no_parent = 1;
        memset(&error, 0x5a, sizeof(error));
        r = initsync_exe_seal(how, &fd, &error);
        note(handshake, "initsync_exe_seal", r, &error);
        if (r == 0)
                close(fd);
        if (initsync_exe_is_sealed() > 0)
                handshake->unlike = 1;  /* this very program is not */
}

static void scene_seal_overlay(struct handshake *handshake) {
        seal(handshake, INITSYNC_SEAL_OVERLAY);
}

static void scene_seal_memfd(struct handshake *handshake) {
        seal(handshake, INITSYNC_SEAL_MEMFD);
}

/* Nothing is mapped or written, and there are options. */
static void scene_overlay_plain(struct handshake *handshake) {
        static const char *const options[] = { "userxattr", "xino=off" };
        const char *const lower[] = { handshake_path[HANDSHAKE_TREE], handshake_path[HANDSHAKE_SOURCE] };
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;
        struct initsync_error error;
        int fd, r;

        handshake->no_parent = 1;
        overlay.lower = lower;
        overlay.n_lower = 2;
        overlay.options = options;
        overlay.n_options = 2;
        memset(&error, 0x5a, sizeof(error));
        r = initsync_overlay_open(&overlay, &fd, &error);
        note(handshake, "initsync_overlay_open", r, &error);
        if (r == 0)
                close(fd);
}

const struct fault_scene fault_scenes[] = {
        { "whole", 0, NULL, 0, 0, { { 0 } } },
        { "by descriptor, traced", HANDSHAKE_BY_FD | HANDSHAKE_TRACE, NULL, 0, 0, { { 0 } } },
        { "the child fails", HANDSHAKE_CHILD_FAILS, NULL, 0, 0, { { 0 } } },
        { "the child breaks the protocol", HANDSHAKE_HOSTILE, NULL, 0, 0, { { 0 } } },
        { "the child dies", HANDSHAKE_DIES, NULL, 0, 0, { { 0 } } },
        { "the child dies and is reaped", HANDSHAKE_DIES, NULL, 0, 0, { { "waitid", "process_status", ECHILD, 0, 0 } } },
        { "a hook fails", HANDSHAKE_HOOKS_FAIL, NULL, 0, 0, { { 0 } } },
        { "a submount takes no map", HANDSHAKE_CULPRIT, NULL, 0, 0, { { 0 } } },
        { "a stranger for a listener", HANDSHAKE_STRANGE_FD, NULL, 0, 1, { { 0 } } },
        { "its close takes long", HANDSHAKE_STRANGE_FD, NULL, 0, 1, { { "ppoll", "process_wait", FAULT_ZERO, 0, 0 }, { "ppoll", "task_end", FAULT_ZERO, 1, 1 } } },
        { "Linux 5.12", 0, NULL, 0, 0,
          { { "open_tree_attr", NULL, ENOSYS, 0, 0 }, { "statmount", NULL, ENOSYS, 0, 0 },
            { "ioctl", "open_namespace", ENOTTY, 0, 0 }, { "setsockopt", "refuse_descriptors", ENOPROTOOPT, 0, 0 } } },
        { "Linux 5.8", HANDSHAKE_NO_MOUNTS, NULL, 0, 1, { { "close_range", NULL, ENOSYS, 0, 0 } } },
        { "Linux 5.8, mounts", 0, NULL, 0, 1, { { "close_range", NULL, ENOSYS, 0, 0 } } },
        { "Linux 5.8, no procfs", HANDSHAKE_NO_MOUNTS, NULL, 0, 1,
          { { "close_range", NULL, ENOSYS, 0, 0 }, { "fstatfs", "open_list", EIO, 0, 0 } } },
        { "the end of a task is shown late", 0, NULL, 0, 1, { { "waitid", "task_reap", FAULT_ZERO, 1, 1 } } },
        { "id-mapped already, Linux 5.12", HANDSHAKE_REMAP, NULL, 0, 0, { { "open_tree_attr", NULL, ENOSYS, 0, 0 } } },
        { "attributes are refused", 0, NULL, 0, 0, { { "mount_setattr", NULL, EPERM, 0, 0 } } },
        { "maps are refused", 0, NULL, 0, 0,
          { { "open_tree_attr", NULL, ENOSYS, 0, 0 }, { "mount_setattr", NULL, EPERM, 0, 0 } } },
        { "no joining", 0, NULL, 0, 0, { { "setns", NULL, EPERM, 0, 0 } } },
        { "no guard page", 0, NULL, 0, 0, { { "mprotect", NULL, ENOMEM, 0, 0 }, { "madvise", NULL, EINVAL, 0, 0 } } },
        { "the child's queue is full", 0, NULL, 0, 0, { { "sendmmsg", NULL, EAGAIN, 1, 3 } } },
        { "stdio is closed", 0, NULL, 1, 0, { { 0 } } },
        { "stdio is closed, by descriptor", HANDSHAKE_BY_FD | HANDSHAKE_NO_MOUNTS, NULL, 1, 0, { { 0 } } },
        { "the descriptor cannot be sent", HANDSHAKE_BY_FD | HANDSHAKE_NO_MOUNTS, NULL, 0, 1,
          { { "sendmsg", "sender_send", ENOBUFS, 0, 0 } } },
        { "features", 0, scene_features, 0, 0, { { 0 } } },
        { "user namespaces", 0, scene_userns, 0, 0, { { 0 } } },
        { "user namespaces, no /proc", 0, scene_own_proc, 0, 0, { { 0 } } },
        { "user namespaces, one group", 0, scene_userns, 0, 0, { { "write", "write_map", EPERM, 2, 1 } } },
        { "mounts without a conversation", 0, scene_mount_open, 0, 0, { { 0 } } },
        { "attaching", 0, scene_attach, 0, 0, { { 0 } } },
        { "attaching, Linux 5.12", 0, scene_attach, 0, 0, { { "statmount", NULL, ENOSYS, 0, 0 } } },
        { "attaching, Linux 5.12, no /proc", 0, scene_attach, 0, 0,
          { { "statmount", NULL, ENOSYS, 0, 0 }, { "openat", "open_root", ENOENT, 0, 0 },
            { "open_tree_attr", NULL, ENOSYS, 0, 0 } } },
        { "attaching, no /proc", 0, scene_attach, 0, 0,
          { { "statmount", NULL, ENOSYS, 0, 0 }, { "openat", "open_root", ENOENT, 0, 0 } } },
        { "stdio is closed, and no room", 0, NULL, 1, 0, { { "fcntl", "start", EMFILE, 0, 0 } } },
        { "looking at a child", 0, scene_look, 0, 0, { { 0 } } },
        { "looking at a child, Linux 5.12", 0, scene_look, 0, 0, { { "ioctl", "process_pid", ENOTTY, 0, 0 } } },
        { "freed at once", 0, scene_freed, 0, 0, { { 0 } } },
        { "a silent child", 0, scene_silent, 0, 1, { { 0 } } },
        { "an overlay", 0, scene_overlay, 0, 0, { { 0 } } },
        { "an overlay, whose helper takes long", 0, scene_overlay, 0, 0, { { "ppoll", "process_wait", FAULT_ZERO, 0, 0 } } },
        { "an overlay, Linux 6.12", 0, scene_overlay, 0, 0, { { "fsconfig", "add_layers", EBADF, 0, 0 } } },
        { "an overlay, refused", 0, scene_overlay, 0, 0, { { "fsconfig", "add_layers", EPERM, 0, 0 } } },
        { "an overlay, read-only", 0, scene_overlay_plain, 0, 0, { { 0 } } },
        { "user namespaces, maps that cannot be opened", 0, scene_userns, 0, 0,
          { { "openat2", "procfs_open_pid", EACCES, 0, 0 } } },
        { "sealed by an overlay", 0, scene_seal_overlay, 0, 0, { { 0 } } },
        { "sealed in memory", 0, scene_seal_memfd, 0, 0, { { 0 } } },
        { "sealed in memory, from where sendfile cannot read", 0, scene_seal_memfd, 0, 0, { { "sendfile", NULL, EINVAL, 0, 0 } } },
        { "a long request, and two maps", HANDSHAKE_LONG | HANDSHAKE_NO_SECCOMP, NULL, 0, 0, { { 0 } } },
        { "a source by a symlink", HANDSHAKE_LINK | HANDSHAKE_NO_SECCOMP, NULL, 0, 0, { { 0 } } },
        { "the other side is runc", 0, scene_plain_open, 0, 0, { { 0 } } },
};
const int fault_n_scenes = (int)(sizeof(fault_scenes) / sizeof(fault_scenes[0]));
