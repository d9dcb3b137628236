/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <signal.h>
#include "cleanup.h"
#include "commands.h"
#include "console.h"
#include "container.h"
#include "dumpable.h"
#include "hooks.h"
#include "init.h"
#include "kernel.h"
#include "layers.h"
#include "namespaces.h"
#include "options.h"
#include "privileges.h"
#include "program.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"
#include "trace.h"

static void child_freep(struct initsync_child **child) {
        initsync_child_free(*child);
}

static void trace_freep(struct trace **trace) {
        trace_free(*trace);
}

/* Whose /proc that is, is not known: mount(2) would be told by it what to mount where. */
static int refuse_old(const struct bundle *bundle, struct initsync_error *reterr) {
        int code;
        const char *call = tree_missing(&code);

        if (!call || !bundle_namespace_path(bundle, CLONE_NEWNS))
                return 0;
        fault_call(reterr, code, call, NULL);
        return fault_in(reterr, "config.json: linux.namespaces: a mount namespace that exists");
}

static int fill_root(const struct bundle *bundle, int root, struct initsync_child *child, int console, int lifeline,
                     int *ret_slave, int *ret_step, struct initsync_error *reterr) {
        _cleanup_(init_late_free) struct init_late late = { NULL, 0, NULL, 0, -1 };
        int r;

        r = init_mounts(bundle, root, child, &late, reterr);
        if (r < 0)
                return r;
        *ret_step = INITSYNC_STEP_HOOKS;
        r = initsync_child_hooks(child, reterr);
        if (r < 0)
                return fault_in(reterr, "procHooks");
        *ret_step = INITSYNC_STEP_PIVOT;
        /*
         * At the latest: an ordinary user's runtime had to join our mount namespace until now. What follows is the image's:
         * our descriptors, the conversation and the terminal of whoever started us, are none of its hooks'. execve(2) gives it
         * back.
         */
        r = dumpable_end(reterr);
        if (r == 0)
                r = hooks_wait(bundle, HOOK_CREATE_CONTAINER, getpid(), root, lifeline, reterr);
        if (r == 0 && console >= 0)
                r = console_make(bundle, root, late.dev, console, ret_slave, reterr);
        if (r == 0)
                r = container_directory(bundle, root, reterr);
        if (r == 0)
                r = sysctls_write(&bundle->sysctls, reterr);
        return r < 0 ? r : init_finish(bundle, root, &late, reterr);
}

/* A function of its own, so that the descriptors of the set-up are closed before the program is executed. */
static int set_up(const struct bundle *bundle, struct initsync_child *child, int console, int given, int lifeline,
                  int *ret_slave, int *ret_step, struct initsync_error *reterr) {
        _cleanup_fd_ int root = -1, tree = given;
        int r;

        *ret_step = INITSYNC_STEP_MOUNTS;
        r = refuse_old(bundle, reterr);
        if (r == 0)
                r = rootfs_isolate(bundle->root_propagation, reterr);
        if (r < 0)
                return r;
        r = rootfs_open(bundle->root, take_fd(&tree), bundle->root_propagation, &root, reterr);
        if (r < 0)
                return fault_in(reterr, "config.json: root.path");
        r = fill_root(bundle, root, child, console, lifeline, ret_slave, ret_step, reterr);
        if (r == 0)
                r = rootfs_pivot(root, bundle->root_propagation, bundle->root_readonly, reterr);
        if (r < 0 && bundle_namespace_path(bundle, CLONE_NEWNS))
                rootfs_undo(root);
        tree_end();
        return r;
}

/* As root until the parent has set the limits: one that has few rights itself needs to be the same user for that. */
static int become_ready(const struct bundle *bundle, struct initsync_child *child, bool *ret_inside,
                        struct initsync_error *reterr) {
        int r;

        r = container_names(bundle, reterr);
        if (r == 0)
                r = personality_apply(&bundle->personality, reterr);
        if (r == 0)
                r = memory_policy_apply(&bundle->memory_policy, reterr);
        if (r < 0)
                return r;
        r = container_enter(bundle, reterr);
        *ret_inside = r == 0;
        if (r < 0 && r != -EACCES && r != -EPERM)
                return r;
        r = initsync_child_ready(child, reterr);
        return r < 0 ? fault_in(reterr, "procReady") : 0;
}

/* Where, who and with what rights the program will be: they are the image's, and may do no more than it. */
static int start_hooks(const struct bundle *bundle, mode_t mask, int lifeline, struct initsync_error *reterr) {
        umask(bundle->process.has_umask ? bundle->process.umask : mask);
        return hooks_wait(bundle, HOOK_START_CONTAINER, getpid(), -1, lifeline, reterr);
}

int init_run(const struct bundle *bundle, struct initsync_child *child, int console, int tree, int lifeline,
             struct initsync_error *reterr) {
        mode_t mask = umask(022);       /* the mount points that are made are for everybody in the container */
        _cleanup_fd_ int slave = -1;
        bool inside = false;
        char **env = NULL;
        int r, step;

        r = set_up(bundle, child, console, tree, lifeline, &slave, &step, reterr);
        fd_closep(&console);
        /* Before the limits are set, which may be too tight for it. */
        if (r == 0)
                r = program_environment(&bundle->process, &env, reterr);
        if (r == 0) {
                step = INITSYNC_STEP_READY;
                r = become_ready(bundle, child, &inside, reterr);
        }
        if (r == 0)
                step = INITSYNC_STEP_RUN;
        if (r == 0 && slave >= 0) {
                /* What goes wrong is told where whoever started this looks for it, also under a filter that denies dup2(2). */
                say_to(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
                r = console_enter(slave, reterr);
        }
        /* With a terminal of its own those are that, and the caller's remain whose they are. */
        if (r == 0)
                r = container_streams(bundle, reterr);
        if (r == 0)
                r = privileges_new_keyring(reterr);
        if (r == 0)
                r = privileges_enter(&bundle->process, filter_privileged(&bundle->filter, bundle->process.no_new_privileges),
                                     lifeline, reterr);
        if (r == 0 && !inside)
                r = container_enter(bundle, reterr);
        if (r == 0)
                r = start_hooks(bundle, mask, lifeline, reterr);
        fd_closep(&lifeline);
        if (r == 0)
                r = container_exec(bundle, child, env, mask, reterr);
        if (reterr->step < 0)
                reterr->step = step;
        return r;
}

static int run(const char *path, struct initsync_child *child, int console, int lifeline, struct initsync_error *reterr) {
        _cleanup_(bundle_freep) struct bundle *bundle = NULL;
        int r;

        r = bundle_load(&bundle, path, BUNDLE_CHILD, reterr);
        if (r == 0)
                r = layers_refuse(bundle, reterr);
        if (r == 0 && bundle->process.terminal && console < 0)
                r = fault(reterr, -EINVAL, "config.json: process.terminal: true: without --console-fd");
        else if (r == 0 && !bundle->process.terminal && console >= 0)
                r = fault(reterr, -EINVAL, "--console-fd: config.json: process.terminal is not true");
        if (r < 0) {
                fd_closep(&console);
                fd_closep(&lifeline);
        }
        return r < 0 ? r : init_run(bundle, child, console, -1, lifeline, reterr);
}

/* Close-on-exec, so that what is said over it ends with the execution. */
static int take_option(int fd, const char *name, struct initsync_error *reterr) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
                return 0;
        fault_call(reterr, -errno, "fcntl", NULL);
        return fault_in(reterr, "--%s %d", name, fd);
}

static int start(const struct options *options, struct initsync_error *reterr) {
        struct initsync_child_options child_options = INITSYNC_CHILD_OPTIONS_INIT;
        _cleanup_(child_freep) struct initsync_child *child = NULL;
        _cleanup_(trace_freep) struct trace *trace = NULL;
        struct initsync_error error;
        const int keep[] = { options->sync_fd, options->console_fd };
        int r, own, lifeline;

        r = take_option(options->sync_fd, "sync-fd", reterr);
        if (r == 0 && options->console_fd >= 0)
                r = take_option(options->console_fd, "console-fd", reterr);
        if (r < 0)
                return r;
        /* Nothing of what whoever started us left open may reach the container, or be in reach of a path. */
        r = initsync_child_only(keep, options->console_fd >= 0 ? 2 : 1);
        if (r < 0)
                return fault_call(reterr, r, "close_range", NULL);
        if (options->trace) {
                r = trace_new(&trace, options->trace_file, stderr, "child");
                if (r < 0)
                        return fault_call(reterr, r, "open", options->trace_file);
                child_options.trace = trace_event;
                child_options.userdata = trace;
        }
        if (options->seccomp_fd)
                child_options.flags = INITSYNC_CHILD_SECCOMP_FD;
        /* While the socket is still ours to look at. */
        own = namespaces_own_mounts(options->sync_fd, reterr);
        lifeline = fcntl(options->sync_fd, F_DUPFD_CLOEXEC, 3);
        r = initsync_child_new(&child, options->sync_fd, &child_options, &error);
        if (r < 0) {
                *reterr = error;
                return r;
        }
        r = own < 0 ? own : run(options->bundle, child, options->console_fd, lifeline, reterr);
        initsync_child_fail(child, reterr);
        return r;
}

int init_main(const struct options *options) {
        struct initsync_error error;

        signal(SIGPIPE, SIG_IGN);       /* nobody reads our warnings: no reason to end; container_exec() resets it */
        /* Whoever started us has made the namespaces that we are in, and reaches us all the same. */
        if (dumpable_end(&error) == 0)
                start(options, &error);
        say("%s", error.text);
#ifdef __SANITIZE_ADDRESS__
        dumpable_show(true);            /* LeakSanitizer sees no leak of a process that is not */
#endif
        return 1;
}
