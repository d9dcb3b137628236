/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "kernel.h"
#include "map_helper.h"
#include "ordinary.h"
#include "ordinary_ids.h"
#include "say.h"

bool ordinary_user(void) {
        cap_t caps = cap_get_proc();
        cap_flag_value_t set = CAP_CLEAR;

        if (caps) {
                cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &set);
                cap_free(caps);
        }
        return set != CAP_SET;
}

/* @container and what is outside of it: @own; around it the ranges of @all. */
static int make_map(const struct bundle_map *all, uint32_t container, uint32_t own, struct bundle_map *ret) {
        struct initsync_idmap *extents = calloc(2 * all->n + 2, sizeof(*extents));
        uint32_t inside = 0, first, left, n;
        size_t i, used = 0;
        bool placed = false;

        if (!extents)
                return -ENOMEM;
        for (i = 0; i < all->n; i++) {
                first = all->extents[i].outside;
                left = all->extents[i].count;
                while (left > 0) {
                        n = left;
                        if (first == own) {
                                first++;
                                left--;
                                continue;
                        }
                        if (first < own && own - first < n)
                                n = own - first;
                        if (inside == container && !placed) {
                                extents[used++] = (struct initsync_idmap){ container, own, 1 };
                                inside++;
                                placed = true;
                        }
                        if (!placed && container - inside < n)
                                n = container - inside;
                        if (used == INITSYNC_IDMAP_MAX - 1 || n > UINT32_MAX - 1 - inside)
                                break;
                        extents[used++] = (struct initsync_idmap){ inside, first, n };
                        inside += n;
                        first += n;
                        left -= n;
                }
        }
        if (!placed)
                extents[used++] = (struct initsync_idmap){ container, own, 1 };
        *ret = (struct bundle_map){ extents, used };
        return 0;
}

int ordinary_maps(struct bundle *bundle, struct initsync_error *reterr) {
        _cleanup_(ids_clear) struct ids ids = { .why = { .code = 0 } };
        int r;

        if (!(bundle->namespaces & CLONE_NEWUSER))
                return fault(reterr, -EPERM, "config.json: linux.namespaces: expected one of type user, as "
                             "`runc spec --rootless` writes it: only root can start a container without");
        if (bundle->uids.n > 0)
                return 0;
        r = ids_read(&ids);
        if (r == 0)
                r = make_map(&ids.maps[IDS_USER], bundle->process.uid, geteuid(), &bundle->uids);
        if (r == 0)
                r = make_map(&ids.maps[IDS_GROUP], bundle->process.gid, getegid(), &bundle->gids);
        if (r < 0)
                return fault_call(reterr, r, "calloc", NULL);
        if (ids.why.code < 0)
                say("warning: the container has one user and one group: %s", ids.why.text);
        return 0;
}

/* Is there as long as our end of @lifeline. */
static _Noreturn void hold(int lifeline) {
        char byte;

        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        initsync_child_only(&lifeline, 1);
        while (read(lifeline, &byte, 1) < 0 && errno == EINTR)
                continue;
        _exit(0);
}

static int put(pid_t pid, const char *file, const char *text, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return fault_call(reterr, -errno, fd < 0 ? "open" : "write", path);
        return 0;
}

static int map_own(pid_t pid, struct initsync_error *reterr) {
        char text[64];
        int r;

        snprintf(text, sizeof(text), "%u %u 1\n", geteuid(), geteuid());
        r = put(pid, "uid_map", text, reterr);
        if (r == 0)
                r = put(pid, "setgroups", "deny", reterr);
        snprintf(text, sizeof(text), "%u %u 1\n", getegid(), getegid());
        return r < 0 ? r : put(pid, "gid_map", text, reterr);
}

static int map_all(pid_t pid, const struct ids *ids, struct initsync_error *reterr) {
        int r = map_helper_run(map_helper_find("newuidmap"), pid, &ids->maps[IDS_USER], reterr);

        if (r == 0)
                r = map_helper_run(map_helper_find("newgidmap"), pid, &ids->maps[IDS_GROUP], reterr);
        return r < 0 ? fault_in(reterr, "config.json: linux.uidMappings") : 0;
}

static int enter(pid_t pid, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return fault_call(reterr, -errno, "open", path);
        if (setns(fd, CLONE_NEWUSER) < 0)
                return fault_call(reterr, -errno, "setns", "user namespace");
        /* Of another owner: what the host mounts appears in there, and not the other way round. */
        return unshare(CLONE_NEWNS) < 0 ? fault_call(reterr, -errno, "unshare", "mount namespace") : 0;
}

/*
 * The namespace is made by a process that is killed once it was entered. Until then it is a child of ours that nobody reaps,
 * so that what is written by number is written for it.
 */
static int enter_new(const struct ids *ids, bool more, struct initsync_error *reterr) {
        struct kernel_clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        _cleanup_fd_ int ours = -1, theirs = -1;
        int ends[2], r;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        theirs = ends[0];
        ours = ends[1];
        fflush(NULL);
        pid = kernel_clone3(&args);
        if (pid < 0) {
                fault_call(reterr, pid, "clone3", NULL);
                return fault_in(reterr, "config.json: linux.namespaces: user: this user may make none here "
                                "(user.max_user_namespaces, kernel.unprivileged_userns_clone, or a filter)");
        }
        if (pid == 0)
                hold(theirs);
        r = more ? map_all(pid, ids, reterr) : map_own(pid, reterr);
        if (r == 0)
                r = enter(pid, reterr);
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        return r;
}

int ordinary_enter(const struct bundle *bundle, struct initsync_error *reterr) {
        _cleanup_(ids_clear) struct ids ids = { .why = { .code = 0 } };
        int r = ids_read(&ids);

        if (r < 0)
                return fault_call(reterr, r, "calloc", NULL);
        r = ids_check(&ids, bundle, reterr);
        if (r < 0)
                return r;
        return enter_new(&ids, r > 0, reterr);
}
