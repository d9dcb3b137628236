/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include "cleanup.h"
#include "dumpable.h"
#include "launch.h"
#include "reap.h"
#include "say.h"

#define BETWEEN_MS 10000        /* for a few system calls, on a busy machine */

/* In memory that all three processes share. */
struct outcome {
        pid_t pid;                      /* or a negative errno */
        int pidfd;
        struct initsync_error error;
};

static void unmap(struct outcome **outcome) {
        if (*outcome)
                munmap(*outcome, sizeof(**outcome));
}

/* A time namespace is entered by the next process to be made, and until then its clocks can be set. */
static int make_time(const struct bundle *bundle, bool *ret_late, struct initsync_error *reterr) {
        if (!bundle->new_time)
                return 0;
        if (unshare(CLONE_NEWTIME) < 0) {
                *ret_late = errno == EPERM && (bundle_new_namespaces(bundle) & CLONE_NEWUSER);
                if (*ret_late)
                        return 0;
                fault_call(reterr, -errno, "unshare", "time");
                return fault_in(reterr, "config.json: linux.namespaces");
        }
        return time_offsets_write(&bundle->time_offsets, reterr);
}

int launch_late_time(const struct bundle *bundle, struct initsync_error *reterr) {
        unsigned major = 0, minor = 0;
        struct utsname name;
        bool again = false;
        int r;

        /* No call tells whether execve(2) will enter it. */
        uname(&name);
        sscanf(name.release, "%u.%u", &major, &minor);
        if (major < 6 || (major == 6 && minor < 3))
                return fault(reterr, -ENOSYS, "config.json: linux.namespaces: time: takes root, or Linux 6.3");
        r = make_time(bundle, &again, reterr);
        return r == 0 && again ? fault_call(reterr, -EPERM, "unshare", "config.json: linux.namespaces: time") : r;
}

/*
 * The process between: enters what there is, and makes the one that is wanted as its own parent's child. Its descriptors are
 * those of the parent, so that the new one's pidfd is there.
 */
static pid_t between(const struct bundle *bundle, const struct joined *joined, struct kernel_clone_args args,
                     bool *ret_late_time, struct outcome *outcome) {
        int r;

        args.flags |= CLONE_PARENT;
        args.exit_signal = 0;           /* CLONE_PARENT: the same as ours */
        args.pidfd = (uintptr_t)&outcome->pidfd;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                r = fault_call(&outcome->error, -errno, "prctl", NULL);
        else
                r = joined_enter(joined, &outcome->error);
        if (r == 0 && joined_user(joined) >= 0)
                r = joined_check_maps(bundle, &outcome->error);
        if (r == 0)
                r = make_time(bundle, ret_late_time, &outcome->error);
        if (r == 0) {
                r = kernel_clone3(&args);
                if (r == 0)
                        return 0;
                if (r < 0) {
                        fault_call(&outcome->error, r, "clone3", NULL);
                        fault_in(&outcome->error, "config.json: linux.namespaces");
                }
        }
        outcome->pid = r;
        _exit(0);
}

static pid_t make(const struct bundle *bundle, const struct joined *joined, struct kernel_clone_args *args, bool *ret_late_time,
                  struct initsync_error *reterr) {
        struct kernel_clone_args plain = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
        _cleanup_(unmap) struct outcome *outcome = NULL;
        pid_t pid;
        int r;

        *ret_late_time = false;
        if (joined->n == 0 && !bundle->new_time) {
                r = kernel_clone3(args);
                if (r < 0) {
                        fault_call(reterr, r, "clone3", NULL);
                        fault_in(reterr, "config.json: linux.namespaces");
                }
                return r;
        }
        outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (outcome == MAP_FAILED) {
                outcome = NULL;
                return fault_call(reterr, -errno, "mmap", NULL);
        }
        outcome->pid = -ECONNRESET;
        outcome->pidfd = -1;
        fault(&outcome->error, -ECONNRESET, "a process of ours was killed");
        pid = kernel_clone3(&plain);
        if (pid < 0)
                return fault_call(reterr, pid, "clone3", NULL);
        if (pid == 0)
                return between(bundle, joined, *args, ret_late_time, outcome);
        reap(pid, BETWEEN_MS, NULL);
        *(int *)(uintptr_t)args->pidfd = outcome->pidfd;
        if (outcome->pid < 0)
                *reterr = outcome->error;
        return outcome->pid;
}

pid_t launch(const struct bundle *bundle, const struct joined *joined, struct kernel_clone_args *args, bool *ret_late_time,
             struct initsync_error *reterr) {
        /* It is in sight of all in a PID namespace that exists from its birth on, before it could see to that itself. */
        bool hidden = dumpable_hide();
        pid_t pid = make(bundle, joined, args, ret_late_time, reterr);

        if (pid != 0)
                dumpable_show(hidden);
        return pid;
}
