/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "bench_bare.h"
#include "bench_duo.h"
#include "bench_kernel.h"
#include "say.h"

struct duo_result *duo_result_new(struct initsync_error *reterr) {
        struct duo_result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (result != MAP_FAILED)
                return result;
        fault_call(reterr, -errno, "mmap", NULL);
        return NULL;
}

void duo_result_free(struct duo_result *result) {
        if (result)
                munmap(result, sizeof(*result));
}

/* Inside a process of the duo: the first failure is the one that is told. */
static _Noreturn void fail(struct duo_result *result, int64_t code, const struct initsync_error *error, const char *who) {
        if (result->code == 0) {
                result->error = *error;
                fault_in(&result->error, "%s", who);
                result->code = code;
        }
        _exit(1);
}

static _Noreturn void fail_call(struct duo_result *result, int code, const char *call, const char *who) {
        struct initsync_error error;

        fault_call(&error, code, call, NULL);
        fail(result, code, &error, who);
}

static struct initsync_mount mount_of(const struct duo *duo) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        const struct bench_maps *maps = bench_maps();

        mount.source = duo->source;
        mount.destination = "/srv";
        if (duo->mapped) {
                mount.uids = mount.gids = maps->extents;
                mount.n_uids = mount.n_gids = 1;
        }
        return mount;
}

/* ---- the child ---- */

static void ask_ours(struct initsync_child *child, const struct initsync_mount *mounts, unsigned n, int *fds,
                     struct duo_result *result) {
        struct initsync_error error;
        int r = initsync_child_mounts(child, mounts, n, fds, &error);

        if (r < 0)
                fail(result, r, &error, "child");
}

static void ask_bare(const struct bare *bare, unsigned n, int *fds, struct duo_result *result) {
        unsigned i;
        int r = 0;

        for (i = 0; i < n && r == 0; i++)
                r = bare_ask(bare);
        for (i = 0; i < n && r >= 0; i++)
                r = fds[i] = bare_receive(bare);
        if (r < 0)
                fail_call(result, r, "conversation", "bare child");
}

static _Noreturn void child(const struct duo *duo, int socket, int ready, struct duo_result *result) {
        static struct initsync_mount mounts[32];
        static int fds[DUO_REQUESTS];           /* closed when time no longer counts: the last close of a mount costs 2 or 50 us */
        struct bare bare = { socket, duo->json, &mounts[0], -1 };
        struct initsync_child *ours = NULL;
        struct initsync_error error;
        unsigned i, n = 0;
        int r;

        for (i = 0; i < duo->ahead; i++)
                mounts[i] = mount_of(duo);
        if (unshare(CLONE_NEWNS) < 0 || (duo->child_cpu >= 0 && pin(duo->child_cpu) < 0))
                fail_call(result, -errno, "unshare", "child");
        if (!duo->bare && (r = initsync_child_new(&ours, socket, NULL, &error)) < 0)
                fail(result, r, &error, "child");
        if (write(ready, "", 1) != 1)
                _exit(1);
        for (i = 0; i < duo->warm + duo->timed; i++, n += duo->ahead) {
                int64_t start = clock_ns();

                if (ours)
                        ask_ours(ours, mounts, duo->ahead, fds + n, result);
                else
                        ask_bare(&bare, duo->ahead, fds + n, result);
                if (i >= duo->warm)
                        result->took[result->n++] = clock_ns() - start;
        }
        if (ours && (r = initsync_child_ready(ours, &error)) < 0)
                fail(result, r, &error, "child");
        _exit(0);
}

/* ---- the parent ---- */

static void serve_ours(const struct duo *duo, int socket, int pidfd, struct duo_result *result) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        static struct initsync_mount mounts[DUO_REQUESTS];
        struct initsync_parent *parent;
        struct initsync_error error;
        int r;

        options.mounts = mounts;
        options.n_mounts = (size_t)(duo->warm + duo->timed) * duo->ahead;
        for (size_t i = 0; i < options.n_mounts; i++)
                mounts[i] = mount_of(duo);
        r = initsync_parent_new(&parent, socket, pidfd, &options, &error);
        if (r == 0)
                r = initsync_parent_run(parent, &error);
        if (r < 0)
                fail(result, r, &error, "parent");
        initsync_parent_free(parent);
}

static void serve_bare(const struct duo *duo, int socket, int pidfd, struct duo_result *result) {
        struct initsync_mount mount = mount_of(duo);
        struct bare bare = { socket, duo->json, &mount, -1 };
        struct initsync_error error;
        int r = 0;

        if (duo->mapped)
                r = initsync_userns_open(mount.uids, mount.n_uids, mount.gids, mount.n_gids, &bare.userns_fd, &error);
        if (r < 0)
                fail(result, r, &error, "bare parent");
        if (setns(pidfd, CLONE_NEWNS) < 0)
                fail_call(result, -errno, "setns", "bare parent");
        do
                r = bare_serve(&bare);
        while (r > 0);
        if (r < 0)
                fail_call(result, r, "conversation", "bare parent");
}

static _Noreturn void parent(const struct duo *duo, struct duo_result *result) {
        int theirs, ours, pipes[2], pidfd, status;
        char byte;
        pid_t pid;

        if (initsync_pair(&ours, &theirs) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
                fail_call(result, -EMFILE, "socketpair", "parent");
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(ours);
                child(duo, theirs, pipes[1], result);
        }
        close(theirs);
        close(pipes[1]);
        pidfd = kernel_pidfd_open(pid);
        if (pid < 0 || pidfd < 0 || (duo->parent_cpu >= 0 && pin(duo->parent_cpu) < 0))
                fail_call(result, -errno, "fork", "parent");
        if (read(pipes[0], &byte, 1) == 1) {
                if (duo->bare)
                        serve_bare(duo, ours, pidfd, result);
                else
                        serve_ours(duo, ours, pidfd, result);
        }
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                fail_call(result, -ECHILD, "wait", "child");
        _exit(0);
}

int duo_run(const struct duo *duo, struct duo_result *result, struct initsync_error *reterr) {
        int status;
        pid_t pid;

        result->n = 0;
        result->code = 0;
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                parent(duo, result);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        if (result->code < 0) {
                *reterr = result->error;
                return (int)result->code;
        }
        return status == 0 ? 0 : fault(reterr, -ECHILD, "a process of the bench died");
}

static int64_t copy(void *data, struct initsync_error *reterr) {
        struct duo_result *result = data;

        (void)reterr;
        return result->took[--result->n];
}

int64_t duo_median(void *data, struct initsync_error *reterr) {
        struct duo_operation *one = data;
        int r = duo_run(&one->duo, one->result, reterr);

        return r < 0 ? r : measure_batch(copy, one->result, one->result->n, reterr);
}
