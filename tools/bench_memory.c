/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include "bench.h"
#include "bench_kernel.h"
#include "bench_memory.h"
#include "bench_worker.h"
#include "cleanup.h"
#include "say.h"

#define SOURCE BENCH_PLACE "/source"
#define MANY 1000
#define FEW 10

/* As long as a request gets by its maps: 340 extents each. Short numbers, since all must fit into one page of uid_map. */
static struct initsync_idmap map[INITSYNC_IDMAP_MAX];

static struct initsync_mount long_mount(void) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        unsigned i;

        for (i = 0; i < INITSYNC_IDMAP_MAX; i++)
                map[i] = (struct initsync_idmap){ 2 * i, 2 * i, 1 };
        mount.source = SOURCE;
        mount.uids = mount.gids = map;
        mount.n_uids = mount.n_gids = INITSYNC_IDMAP_MAX;
        return mount;
}

/* Asks once, and stays until the process that holds all sessions ends. */
static _Noreturn void child(int socket, int report) {
        const struct initsync_mount mount = long_mount();
        int keep[2] = { socket, report }, fd;
        struct initsync_child *child;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (initsync_child_only(keep, 2) < 0 || unshare(CLONE_NEWNS) < 0 || write(report, "", 1) != 1 ||
            initsync_child_new(&child, socket, NULL, NULL) < 0 || initsync_child_mount(child, &mount, &fd, NULL) < 0 ||
            write(report, "", 1) != 1)
                _exit(1);
        for (;;)
                pause();
}

/* Until the child says that it has what it asked for. */
static int serve(struct initsync_parent *parent, int report, struct initsync_error *reterr) {
        struct pollfd polls[2] = { { .fd = initsync_parent_get_fd(parent), .events = POLLIN }, { .fd = report, .events = POLLIN } };
        int r = 1;

        while (r == 1 && !polls[1].revents) {
                if (poll(polls, 2, 10000) <= 0)
                        return fault(reterr, -ETIMEDOUT, "a session does not go on");
                if (polls[0].revents)
                        r = initsync_parent_dispatch(parent, reterr);
        }
        return r < 0 ? r : 0;
}

static int open_session(struct initsync_userns_cache *cache, struct initsync_error *reterr) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        const struct initsync_mount mount = long_mount();
        struct initsync_parent *parent;
        _cleanup_fd_ int pidfd = -1, report = -1;
        int ours, theirs, pipes[2], r;
        char byte;
        pid_t pid;

        if (initsync_pair(&ours, &theirs) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
                return fault(reterr, -EMFILE, "socketpair: RLIMIT_NOFILE must be about 8 descriptors a session");
        pid = fork();
        if (pid == 0)
                child(theirs, pipes[1]);
        close(theirs);
        close(pipes[1]);
        report = pipes[0];
        pidfd = pid < 0 ? -1 : kernel_pidfd_open(pid);
        if (pidfd < 0 || read(report, &byte, 1) != 1)
                return fault_call(reterr, -EAGAIN, "fork", "a child of a session");
        options.mounts = &mount;
        options.n_mounts = 1;
        options.userns_cache = cache;
        options.budget_ms = options.timeout_ms = INITSYNC_NO_LIMIT;
        r = initsync_parent_new(&parent, ours, pidfd, &options, reterr);
        return r < 0 ? r : serve(parent, report, reterr);       /* it stays open until this process ends */
}

static long resident_bytes(void) {
        long pages = 0;
        FILE *file = fopen("/proc/self/statm", "re");

        if (file && fscanf(file, "%*s %ld", &pages) != 1)
                pages = 0;
        if (file)
                fclose(file);
        return pages * sysconf(_SC_PAGESIZE);
}

static int64_t fill(void *data, struct initsync_error *reterr) {
        struct initsync_userns_cache *cache;
        long few = 0;
        int i, r = initsync_userns_cache_new(&cache, 4);

        (void)data;
        for (i = 0; i < MANY && r == 0; i++) {
                if (i == FEW)
                        few = resident_bytes();
                r = open_session(cache, reterr);
        }
        return r < 0 ? r : (resident_bytes() - few) / (MANY - FEW);
}

int64_t memory_once(void *data, struct initsync_error *reterr) {
        struct worker worker = WORKER_NONE;
        int64_t r = worker_start(&worker, NULL, NULL, reterr);

        if (r == 0)
                r = worker_run(&worker, fill, data, 1, reterr);
        worker_end(&worker);
        return r;
}
