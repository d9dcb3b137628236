/* SPDX-License-Identifier: MIT */
#include "cleanup.h"
#include "commands.h"
#include "kernel.h"
#include "options.h"
#include "parent.h"
#include "say.h"

static void parent_freep(struct initsync_parent **parent) {
        initsync_parent_free(*parent);
}

static void trace_freep(struct trace **trace) {
        trace_free(*trace);
}

/* None to run yet: a bundle that has some is refused. */
static int hooks(void *userdata, struct initsync_error *reterr) {
        (void)userdata;
        (void)reterr;
        return 0;
}

int parent_serve(const struct parent_job *job, int socket_fd, int pidfd, struct initsync_error *reterr) {
        _cleanup_(parent_freep) struct initsync_parent *parent = NULL;
        _cleanup_free_ struct initsync_mount *mounts = NULL;
        const struct bundle *bundle = job->bundle;
        struct initsync_parent_options options = {
                .size = sizeof(options),
                .flags = job->allow_any_mount ? INITSYNC_PARENT_ALLOW_ANY_MOUNT : 0,
                .timeout_ms = job->timeout_ms,
                .budget_ms = job->timeout_ms,
                .hooks = hooks,
                .trace = job->trace ? trace_event : NULL,
                .userdata = job->trace,
        };
        size_t i;
        int r;

        if (bundle) {
                mounts = calloc(bundle->n_mounts ? bundle->n_mounts : 1, sizeof(*mounts));
                if (!mounts) {
                        fd_closep(&socket_fd);
                        return fault_call(reterr, -ENOMEM, "calloc", NULL);
                }
                for (i = 0; i < bundle->n_mounts; i++)
                        mounts[i] = bundle->mounts[i].want;
                options.rootfs = bundle->root;
                options.mounts = mounts;
                options.n_mounts = bundle->n_mounts;
        }
        r = initsync_parent_new(&parent, socket_fd, pidfd, &options, reterr);
        if (r == 0)
                r = initsync_parent_run(parent, reterr);
        /* The library counts in the list that it was given. */
        if (r < 0 && reterr->mount >= 0 && (size_t)reterr->mount < options.n_mounts)
                fault_in(reterr, "config.json: mounts[%zu]", bundle->mounts[reterr->mount].index);
        return r;
}

static int serve(const struct options *options, struct initsync_error *reterr) {
        _cleanup_(bundle_freep) struct bundle *bundle = NULL;
        _cleanup_(trace_freep) struct trace *trace = NULL;
        _cleanup_fd_ int pidfd = -1;
        struct parent_job job = { .allow_any_mount = options->allow_any_mount, .timeout_ms = options->timeout * 1000 };
        int r;

        /* First of all: until then, the number could come to mean another process. */
        pidfd = kernel_pidfd_open(options->pid);
        if (pidfd < 0) {
                fault_call(reterr, pidfd, "pidfd_open", NULL);
                return fault_in(reterr, "--pid %d", options->pid);
        }
        if (fcntl(options->sync_fd, F_SETFD, FD_CLOEXEC) < 0) {
                fault_call(reterr, -errno, "fcntl", NULL);
                return fault_in(reterr, "--sync-fd %d", options->sync_fd);
        }
        if (options->trace) {
                r = trace_new(&trace, options->trace_file, stderr, "parent");
                if (r < 0)
                        return fault_call(reterr, r, "open", options->trace_file);
        }
        if (options->bundle) {
                r = bundle_load(&bundle, options->bundle, BUNDLE_PARENT, reterr);
                if (r < 0)
                        return r;
        }
        job.bundle = bundle;
        job.trace = trace;
        return parent_serve(&job, options->sync_fd, pidfd, reterr);
}

int parent_main(const struct options *options) {
        struct initsync_error error;

        if (options->bundle && options->allow_any_mount) {
                say("parent: --bundle and --allow-any-mount exclude each other; see 'syncdemo help parent'");
                return 2;
        }
        if (serve(options, &error) < 0) {
                say("%s", error.text);
                return 1;
        }
        return 0;
}
