/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "bench.h"
#include "bench_bare.h"
#include "bench_kernel.h"
#include "say.h"

/* A conversation with only hooks and ready, from the socket pair to the child's end. */

static int agree(void *data, struct initsync_error *reterr) {
        (void)data, (void)reterr;
        return 0;
}

static _Noreturn void child_ours(int socket, int parent_fd) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child;

        options.parent_fd = parent_fd;
        _exit(initsync_child_new(&child, socket, &options, NULL) < 0 || initsync_child_hooks(child, NULL) < 0 ||
              initsync_child_ready(child, NULL) < 0);
}

static int64_t do_ours(void *data, struct initsync_error *reterr) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct initsync_parent *parent = NULL;
        int64_t start = clock_ns();
        int ours, theirs, pidfd, status = 0, r = initsync_pair(&ours, &theirs);
        pid_t pid;

        (void)data;
        if (r < 0)
                return fault_call(reterr, r, "socketpair", NULL);
        pid = fork();
        if (pid == 0)
                child_ours(theirs, ours);
        close(theirs);
        pidfd = kernel_pidfd_open(pid);
        options.hooks = agree;
        r = initsync_parent_new(&parent, ours, pidfd, &options, reterr);
        if (r == 0)
                r = initsync_parent_run(parent, reterr);
        initsync_parent_free(parent);
        close(pidfd);
        waitpid(pid, &status, 0);
        if (r == 0 && status != 0)
                r = fault(reterr, -ECHILD, "the child failed");
        return r < 0 ? r : clock_ns() - start;
}

static const char *const questions[2] = { "{\"type\":\"procHooks\",\"flags\":0}", "{\"type\":\"procReady\",\"flags\":0}" };
static const char *const answers[2] = { "{\"type\":\"procHooksDone\",\"flags\":0}", "{\"type\":\"procRun\",\"flags\":0}" };

static _Noreturn void child_bare(int socket) {
        char text[256];
        int i;

        for (i = 0; i < 2; i++)
                if (bare_send(socket, questions[i]) < 0 || bare_expect(socket, text, sizeof(text)) <= 0)
                        _exit(1);
        _exit(0);
}

static int64_t do_bare(void *data, struct initsync_error *reterr) {
        int64_t start = clock_ns();
        int pair[2], status = 0, i, failed = 0;
        char text[256];
        pid_t pid;

        (void)data;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return fault_call(reterr, -errno, "socketpair", NULL);
        pid = fork();
        if (pid == 0) {
                close(pair[0]);
                child_bare(pair[1]);
        }
        close(pair[1]);
        for (i = 0; i < 2; i++)
                failed |= bare_expect(pair[0], text, sizeof(text)) <= 0 || bare_send(pair[0], answers[i]) < 0;
        failed |= bare_expect(pair[0], text, sizeof(text)) != 0;
        close(pair[0]);
        waitpid(pid, &status, 0);
        if (failed || status != 0)
                return fault(reterr, -ECHILD, "the bare conversation failed");
        return clock_ns() - start;
}

static int run(struct report *report, struct initsync_error *reterr) {
        struct series *mine = report_series(report, "us", "ours"),
                      *floor = report_series(report, "us", "floor: socketpair, fork, four packets, wait");
        const struct contender contenders[] = { { mine, do_ours, NULL, NULL, 20, 0, 0 }, { floor, do_bare, NULL, NULL, 20, 0, 0 } };

        report_ratio(report, mine, floor, AT_MOST, 1.2, "ours / floor");
        return measure(report->name, contenders, 2, report_rounds(report, 60), reterr);
}

const struct bench bench_session = { "session", "a conversation of only hooks and ready, with its process", false, run };
