/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "bench.h"
#include "bench_bare.h"
#include "bench_kernel.h"
#include "bench_memory.h"
#include "cleanup.h"
#include "say.h"

/*
 * Many conversations at once in one process and one event loop, each child in a mount namespace of its own. All are open before
 * the first child may speak, so that time is that of the conversations alone.
 */

#define SOURCE BENCH_PLACE "/source"
#define REQUESTS 5
#define MANY 1000
#define FEW 10

struct one {
        struct initsync_parent *parent;         /* NULL: bare */
        struct bare bare;
        int pidfd;
        pid_t pid;
};

struct crowd {
        unsigned n;
        bool bare;
        struct initsync_mount mount;
        int gate[2];                            /* closed: the children may begin */
        int epoll, userns_fd;
        int home;                               /* the mount namespace of this process: the bare parent leaves it */
        struct initsync_userns_cache *cache;
        struct one *ones;
};

#define CROWD_NONE { .gate = { -1, -1 }, .epoll = -1, .userns_fd = -1, .home = -1 }

static int64_t child_ours(int socket, const struct crowd *crowd) {
        struct initsync_child *child;
        int i, fds[REQUESTS];

        if (initsync_child_new(&child, socket, NULL, NULL) < 0)
                return 1;
        for (i = 0; i < REQUESTS; i++)
                if (initsync_child_mount(child, &crowd->mount, &fds[i], NULL) < 0)
                        return 1;
        return initsync_child_ready(child, NULL) < 0;
}

static int64_t child_bare(int socket, const struct crowd *crowd) {
        struct bare bare = { socket, true, &crowd->mount, -1 };
        int i;

        for (i = 0; i < REQUESTS; i++)
                if (bare_ask(&bare) < 0 || bare_receive(&bare) < 0)
                        return 1;
        return 0;
}

/* What it holds is closed by its end, which nobody times: the last close of a mount costs 2 or 50 us. */
static _Noreturn void child(const struct crowd *crowd, int socket, int ready) {
        int keep[3] = { socket, crowd->gate[0], ready };
        char byte;
        int64_t failed;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (initsync_child_only(keep, 3) < 0 || unshare(CLONE_NEWNS) < 0 || write(ready, "", 1) != 1)
                _exit(1);
        close(ready);
        if (read(crowd->gate[0], &byte, 1) != 0)
                _exit(1);
        failed = crowd->bare ? child_bare(socket, crowd) : child_ours(socket, crowd);
        shutdown(socket, SHUT_RDWR);            /* the conversation is over here, before its descriptors are closed */
        _exit(failed != 0);
}

static int watch(const struct crowd *crowd, struct one *one, int fd, struct initsync_error *reterr) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = one };

        return epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? fault_call(reterr, -errno, "epoll_ctl", NULL) : 0;
}

static int serve(struct crowd *crowd, struct one *one, int socket, struct initsync_error *reterr) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct initsync_mount mounts[REQUESTS];
        int i, r;

        if (crowd->bare) {
                one->bare = (struct bare){ socket, true, &crowd->mount, crowd->userns_fd };
                return watch(crowd, one, socket, reterr);
        }
        for (i = 0; i < REQUESTS; i++)
                mounts[i] = crowd->mount;
        options.mounts = mounts;
        options.n_mounts = REQUESTS;
        options.userns_cache = crowd->cache;
        options.timeout_ms = INITSYNC_NO_LIMIT;
        r = initsync_parent_new(&one->parent, socket, one->pidfd, &options, reterr);
        return r < 0 ? r : watch(crowd, one, initsync_parent_get_fd(one->parent), reterr);
}

static int open_one(struct crowd *crowd, struct one *one, struct initsync_error *reterr) {
        int ours, theirs, ready[2];
        char byte;

        if (initsync_pair(&ours, &theirs) < 0 || pipe2(ready, O_CLOEXEC) < 0)
                return fault(reterr, -EMFILE, "socketpair: RLIMIT_NOFILE must be about 8 descriptors a session");
        one->pid = fork();
        if (one->pid == 0)
                child(crowd, theirs, ready[1]);
        close(theirs);
        close(ready[1]);
        one->pidfd = one->pid < 0 ? -1 : kernel_pidfd_open(one->pid);
        if (one->pidfd < 0 || read(ready[0], &byte, 1) != 1)
                return fault_call(reterr, -EAGAIN, "fork", "a child of a session");
        close(ready[0]);
        return serve(crowd, one, ours, reterr);
}

static int open_crowd(struct crowd *crowd, struct initsync_error *reterr) {
        unsigned i;
        int r = 0;

        crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
        crowd->ones = calloc(crowd->n, sizeof(*crowd->ones));
        if (crowd->epoll < 0 || !crowd->ones || pipe2(crowd->gate, O_CLOEXEC) < 0)
                return fault_call(reterr, -ENOMEM, "epoll_create1", NULL);
        for (i = 0; i < crowd->n && r == 0; i++)
                r = open_one(crowd, &crowd->ones[i], reterr);
        return r;
}

/* 1 while the conversation goes on. */
static int step(struct one *one, struct initsync_error *reterr) {
        int r;

        if (one->parent)
                return initsync_parent_dispatch(one->parent, reterr);
        /* ESRCH: it has died, and end-of-file is what is to be read. */
        if (setns(one->pidfd, CLONE_NEWNS) < 0 && errno != ESRCH)
                return fault_call(reterr, -errno, "setns", NULL);
        r = bare_serve(&one->bare);
        if (r == 0)
                close(one->bare.socket);        /* of ours it is gone, too */
        return r < 0 ? fault_call(reterr, r, "conversation", NULL) : r;
}

static int drive(struct crowd *crowd, struct initsync_error *reterr) {
        struct epoll_event events[64];
        unsigned open = crowd->n;

        while (open) {
                int i, n = epoll_wait(crowd->epoll, events, 64, 30000);

                if (n <= 0)
                        return fault(reterr, -ETIMEDOUT, "%u sessions do not end", open);
                for (i = 0; i < n; i++) {
                        struct one *one = events[i].data.ptr;
                        int r = step(one, reterr);

                        if (r < 0)
                                return r;
                        if (r == 0) {
                                if (one->parent)
                                        epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, initsync_parent_get_fd(one->parent), NULL);
                                open--;
                        }
                }
        }
        return 0;
}

static int close_crowd(struct crowd *crowd, int failed_before, struct initsync_error *reterr) {
        unsigned i;
        int status, failed = 0;

        fd_closep(&crowd->gate[0]);
        fd_closep(&crowd->gate[1]);
        for (i = 0; crowd->ones && i < crowd->n; i++) {
                struct one *one = &crowd->ones[i];

                initsync_parent_free(one->parent);
                if (one->pid <= 0)
                        continue;
                if (failed_before)
                        kill(one->pid, SIGKILL);
                failed |= waitpid(one->pid, &status, 0) < 0 || status != 0;
                close(one->pidfd);
        }
        free(crowd->ones);
        fd_closep(&crowd->epoll);
        return failed ? fault(reterr, -ECHILD, "a child of a session failed") : 0;
}

/* Nanoseconds of a session. */
static int64_t do_crowd(void *data, struct initsync_error *reterr) {
        struct crowd *crowd = data;
        struct initsync_error error;
        int64_t start, took;
        int r = open_crowd(crowd, reterr);

        start = clock_ns();
        fd_closep(&crowd->gate[1]);
        if (r == 0)
                r = drive(crowd, reterr);
        took = clock_ns() - start;
        if (setns(crowd->home, CLONE_NEWNS) < 0 && r == 0)
                r = fault_call(reterr, -errno, "setns", NULL);
        if (r < 0)
                close_crowd(crowd, 1, &error);
        else
                r = close_crowd(crowd, 0, reterr);
        return r < 0 ? r : took / crowd->n;
}

static int init_crowd(struct crowd *crowd, unsigned n, bool bare, struct initsync_error *reterr) {
        const struct bench_maps *maps = bench_maps();

        crowd->n = n;
        crowd->bare = bare;
        crowd->home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (crowd->home < 0)
                return fault_call(reterr, -errno, "open", "/proc/self/ns/mnt");
        crowd->mount = (struct initsync_mount)INITSYNC_MOUNT_INIT;
        crowd->mount.source = SOURCE;
        crowd->mount.destination = "/srv";
        crowd->mount.uids = crowd->mount.gids = maps->extents;
        crowd->mount.n_uids = crowd->mount.n_gids = 1;
        if (initsync_userns_cache_new(&crowd->cache, 16) < 0)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        return initsync_userns_cache_get(crowd->cache, crowd->mount.uids, 1, crowd->mount.gids, 1, &crowd->userns_fd, reterr);
}

static void end_crowd(struct crowd *crowd) {
        fd_closep(&crowd->userns_fd);
        fd_closep(&crowd->home);
        initsync_userns_cache_free(crowd->cache);
}

static int run(struct report *report, struct initsync_error *reterr) {
        struct crowd crowds[4] = { CROWD_NONE, CROWD_NONE, CROWD_NONE, CROWD_NONE };
        unsigned many = report->quick ? 2 * FEW : MANY;
        struct series *mine = report_series(report, "us", "ours, each of %u at once", many),
                      *few = report_series(report, "us", "ours, each of %u", FEW),
                      *floor = report_series(report, "us", "floor, each of %u", many),
                      *floor_few = report_series(report, "us", "floor, each of %u", FEW),
                      *memory = report_series(report, "KiB", "memory of an open session after a request of 45 kB");
        const struct contender contenders[] = {
                { mine, do_crowd, &crowds[0], NULL, 1, 0, 0 },
                { few, do_crowd, &crowds[1], NULL, 5, 0, 0 },
                { floor, do_crowd, &crowds[2], NULL, 1, 0, 0 },
                { floor_few, do_crowd, &crowds[3], NULL, 5, 0, 0 },
        };
        const struct contender holding = { memory, memory_once, NULL, NULL, 1, 0, 1024 };
        int i, r = mkdir(SOURCE, 0755) < 0 && errno != EEXIST ? fault_call(reterr, -errno, "mkdir", SOURCE) : 0;

        for (i = 0; i < 4 && r == 0; i++)
                r = init_crowd(&crowds[i], i % 2 ? FEW : many, i >= 2, reterr);
        report_ratio(report, mine, few, AT_MOST, 2, "ours with %u sessions / with %u", many, FEW);
        report_ratio(report, floor, floor_few, NO_BOUND, 0, "the same of the floor");
        report_ratio(report, mine, floor, NO_BOUND, 0, "ours / floor, %u sessions", many);
        if (r == 0)
                r = measure(report->name, contenders, 4, report_rounds(report, 3), reterr);
        for (i = 0; i < 4; i++)
                end_crowd(&crowds[i]);
        if (r < 0 || !bench_is_root())
                return r;
        r = measure("memory", &holding, 1, report_rounds(report, 3), reterr);
        report_value(report, summary_of(memory).median, AT_MOST, 48, "memory of an open session, KiB");
        return r;
}

const struct bench bench_sessions_1000 = { "sessions-1000", "1,000 sessions at once in one event loop, 5 id-mapped requests each",
                                           false, run };
