/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "handshake_child.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "bare.h"
#include "filter.h"

static char long_destination[3001];

size_t handshake_requests(unsigned flags, struct initsync_mount mounts[HANDSHAKE_MOUNTS]) {
        if (flags & HANDSHAKE_NO_MOUNTS)
                return 0;
        if (flags & HANDSHAKE_CULPRIT) {
                mounts[0] = handshake_mount(HANDSHAKE_BAD, 1);
                mounts[0].flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
                return 1;
        }
        if (flags & HANDSHAKE_LINK) {
                mounts[0] = handshake_mount(HANDSHAKE_ALIAS, 1);
                return 1;
        }
        if (flags & HANDSHAKE_REMAP) {
                mounts[0] = handshake_mount(HANDSHAKE_MAPPED, 1);
                return 1;
        }
        if (flags & HANDSHAKE_LONG) {
                mounts[0] = handshake_mount(HANDSHAKE_INNER, 1);
                mounts[1] = handshake_mount(HANDSHAKE_SOURCE, 1);
                mounts[1].uids = mounts[1].gids = handshake_map + 1;
                /* Six bytes each on the wire. */
                memset(long_destination, 1, sizeof(long_destination) - 1);
                long_destination[0] = '/';
                mounts[1].destination = long_destination;
                return 2;
        }
        mounts[0] = handshake_mount(HANDSHAKE_SOURCE, 0);
        mounts[1] = handshake_mount(HANDSHAKE_SOURCE, 1);
        mounts[2] = handshake_mount(HANDSHAKE_INNER, 0);
        mounts[3] = handshake_mount(HANDSHAKE_TREE, 1);
        mounts[3].flags = INITSYNC_MOUNT_RECURSIVE;
        mounts[3].attr_set = 1;                 /* read-only: on top, as the map */
        mounts[4] = handshake_mount(HANDSHAKE_TREE, 0);
        mounts[4].userns_path = "/proc/1/ns/user";
        mounts[5] = handshake_mount(HANDSHAKE_ELSEWHERE, 0);
        return HANDSHAKE_MOUNTS;
}

/* What it is told must be in order: what is not is status 2 and more. */
static void __attribute__((noreturn)) give_up(struct handshake *handshake, struct initsync_child *child, const char *call, int r,
                                              const struct initsync_error *error) {
        handshake->child = (struct handshake_side){ call, r, *error };
        if (child) {
                initsync_child_fail(child, error);
                if (initsync_child_fail(child, error) != 0)
                        _exit(3);       /* twice is once */
                initsync_child_free(child);
        }
        _exit(1);
}

#define CHECK(call, r) do { int r_ = (r); if (r_ < 0) give_up(handshake, child, call, r_, &error); } while (0)

static void mounts_of(struct handshake *handshake, struct initsync_child *child) {
        struct initsync_mount mounts[HANDSHAKE_MOUNTS];
        struct initsync_error error;
        size_t n = handshake_requests(handshake->flags, mounts), i;
        int fds[HANDSHAKE_MOUNTS], target;

        memset(&error, 0x5a, sizeof(error));
        CHECK("initsync_child_mounts", initsync_child_mounts(child, mounts, n, fds, &error));
        if (n == 0)
                return;
        target = open(handshake_path[HANDSHAKE_TARGET], O_PATH | O_CLOEXEC);
        CHECK("initsync_attach", initsync_attach(fds[0], target, &error));
        close(target);
        for (i = 0; i < n; i++)
                close(fds[i]);
}

static void seccomp(struct handshake *handshake, struct initsync_child *child) {
        struct initsync_error error;
        int listener;

        memset(&error, 0x5a, sizeof(error));
        CHECK("initsync_child_prepare_seccomp", initsync_child_prepare_seccomp(child, &error));
        listener = handshake->flags & HANDSHAKE_STRANGE_FD ? open("/dev/null", O_RDWR | O_CLOEXEC) : filter_listener();
        if (listener < 0)
                _exit(4);
        CHECK("initsync_child_seccomp", initsync_child_seccomp(child, listener, &error));
}

static void play(struct handshake *handshake, struct initsync_child *child, int socket) {
        struct initsync_error error = INITSYNC_ERROR_INIT;

        mounts_of(handshake, child);
        if (handshake->flags & HANDSHAKE_DIES)
                _exit(1);
        if (handshake->flags & HANDSHAKE_CHILD_FAILS) {
                snprintf(error.text, sizeof(error.text), "the child has had enough");
                error.code = -EIO;
                give_up(handshake, child, "child", -EIO, &error);
        }
        memset(&error, 0x5a, sizeof(error));
        CHECK("initsync_child_hooks", initsync_child_hooks(child, &error));
        if (handshake->flags & HANDSHAKE_HOSTILE) {
                /* Whom nobody but its parent ends: one that is killed itself is not to leave it. */
                assert(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
                if (getppid() != handshake->parent_pid)
                        _exit(1);
                bare_send(socket, BARE_HOOKS);
                for (;;)
                        pause();
        }
        CHECK("initsync_child_ready", initsync_child_ready(child, &error));
        if (!(handshake->flags & HANDSHAKE_NO_SECCOMP))
                seccomp(handshake, child);
}

void handshake_child(struct handshake *handshake, int socket, int parent_fd) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int keep = socket;

        alarm(60);
        close(parent_fd);
        initsync_child_only(&keep, 1);
        if (unshare(CLONE_NEWNS) < 0)
                _exit(5);
        options.flags = handshake->flags & HANDSHAKE_BY_FD ? INITSYNC_CHILD_SECCOMP_FD : 0;
        options.timeout_ms = 2 * HANDSHAKE_TIMEOUT * handshake_patience;
        memset(&error, 0x5a, sizeof(error));
        CHECK("initsync_child_new", initsync_child_new(&child, socket, &options, &error));
        play(handshake, child, socket);
        initsync_child_free(child);
        _exit(0);
}
