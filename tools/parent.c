/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include "agent.h"
#include "cleanup.h"
#include "commands.h"
#include "joined.h"
#include "kernel.h"
#include "layers.h"
#include "mount_type.h"
#include "options.h"
#include "parent.h"
#include "pid_file.h"
#include "say.h"
#include "tree.h"

#define KILLED_MS 5000
#define MAPS_MAX 64

static void trace_freep(struct trace **trace) {
        trace_free(*trace);
}

/* They may take their time: the conversation is looked after meanwhile, and a child that dies ends them. */
static int on_hooks(void *userdata, struct initsync_error *reterr) {
        struct parent_job *job = userdata;
        int r = 0;

        if (job->bundle)
                r = hooks_start(&job->hooks, job->bundle, HOOK_PRESTART, HOOK_CREATE_RUNTIME, job->pid, reterr);
        return r > 0 ? INITSYNC_LATER : r;
}

static int on_ready(void *userdata, struct initsync_error *reterr) {
        const struct parent_job *job = userdata;
        int r = 0;

        if (job->bundle)
                r = limits_set(&job->bundle->process.limits, job->pid, job->pidfd, job->score_fd, reterr);
        if (r == 0 && job->bundle)
                r = scheduler_apply(&job->bundle->scheduler, job->pid, job->pidfd, reterr);
        if (r == 0 && job->bundle)
                r = io_priority_apply(&job->bundle->io_priority, job->pid, job->pidfd, reterr);
        return r < 0 ? r : pid_file_write(job->pid_file, job->pid, reterr);
}

/* Before its answer, so that no call is ever made that has nobody to decide it. */
static int on_seccomp(int fd, void *userdata, struct initsync_error *reterr) {
        const struct parent_job *job = userdata;
        const int stop[] = { job->stop_fd, job->pidfd };
        int r = agent_give(job->bundle, job->pid, fd, job->timeout_ms, stop, reterr);

        fd_closep(&fd);
        return r;
}

static void on_trace(const struct initsync_trace_event *event, void *userdata) {
        const struct parent_job *job = userdata;

        trace_event(event, job->trace);
}

/* What stands in the list that the library is given, in the order of the bundle's. */
static bool listed(const struct bundle *bundle, const struct bundle_mount *mount) {
        return mount->kind == MOUNT_BIND || bundle_from_parent(bundle, mount);
}

/* What an earlier mount brings into the root file system is the child's, and nobody else sees it: whoever lists that wants it. */
static int lies_in_earlier(const struct bundle *bundle, const struct bundle_mount *mount, struct initsync_error *reterr) {
        const struct bundle_mount *one;
        int r = 0;

        for (one = bundle->mounts; mount->in_root && r == 0 && one < mount; one++) {
                _cleanup_free_ char *below = NULL;

                r = bundle_below(mount->in_root, one->want.destination, &below);
        }
        return r < 0 ? fault_call(reterr, r, "strdup", NULL) : r;
}

/* A file system that the child may not make. The descriptor in @to is the caller's. */
static int make_for_child(const struct bundle *bundle, const struct bundle_mount *mount, struct initsync_mount *to,
                          struct initsync_error *reterr) {
        const char *call;
        int r, code;

        to->source = bundle_from_parent(bundle, mount);
        if (!to->source)
                return 0;
        /* mount(2) would need a place for it, and there is none on the host. */
        call = tree_missing(&code);
        r = call ? fault_call(reterr, code, call, mount->type) : mount_type_make(mount, &to->source_fd, reterr);
        if (r < 0) {
                fault_in(reterr, "%s", mount->want.destination);
                return fault_in(reterr, "config.json: mounts[%zu]", mount->index);
        }
        return 0;
}

struct list {
        struct initsync_mount *mounts;
        size_t n;
};

static void list_free(struct list *list) {
        while (list->n > 0)
                fd_closep(&list->mounts[--list->n].source_fd);
        free(list->mounts);
}

static int allowed(const struct parent_job *job, struct list *list, struct initsync_error *reterr) {
        const struct bundle *bundle = job->bundle;
        struct initsync_mount *one;
        size_t i;
        int r = 0;

        list->mounts = calloc(bundle->n_mounts ? bundle->n_mounts : 1, sizeof(*list->mounts));
        if (!list->mounts)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; r >= 0 && i < bundle->n_mounts; i++) {
                if (!listed(bundle, &bundle->mounts[i]))
                        continue;
                one = &list->mounts[list->n++];
                *one = bundle->mounts[i].want;
                if (one->userns_path)
                        one->userns_fd = job->user_fd;
                r = lies_in_earlier(bundle, &bundle->mounts[i], reterr);
                if (r > 0)
                        one->flags |= INITSYNC_MOUNT_CHILD_VIEW;
                if (r >= 0 && bundle->mounts[i].kind != MOUNT_BIND)
                        r = make_for_child(bundle, &bundle->mounts[i], one, reterr);
        }
        return r < 0 ? r : 0;
}

struct initsync_userns_cache *parent_maps(const struct bundle *bundle) {
        struct initsync_userns_cache *maps = NULL;
        size_t i, n = 0;

        for (i = 0; bundle && i < bundle->n_mounts && n < MAPS_MAX; i++)
                n += bundle->mounts[i].want.n_uids > 0;
        return n > 0 && initsync_userns_cache_new(&maps, n) == 0 ? maps : NULL;
}

/* A failure is not told here: the child's request meets it again, and then it has a mount's name. */
static void make_maps(struct initsync_userns_cache *maps, const struct list *list) {
        const struct initsync_mount *mount = list->mounts;
        struct initsync_error why = INITSYNC_ERROR_INIT;
        size_t i;
        int fd;

        for (i = 0; maps && i < list->n; i++, mount++)
                if (mount->n_uids > 0 && initsync_userns_cache_get(maps, mount->uids, mount->n_uids, mount->gids,
                                                                   mount->n_gids, &fd, &why) == 0)
                        fd_closep(&fd);
}

int parent_new(struct initsync_parent **ret_parent, struct parent_job *job, int socket_fd,
               struct initsync_error *reterr) {
        _cleanup_(list_free) struct list list = { NULL, 0 };
        struct initsync_parent_options options = {
                .size = sizeof(options),
                .flags = (job->allow_any_mount ? INITSYNC_PARENT_ALLOW_ANY_MOUNT : 0) |
                         (job->seccomp_fd ? INITSYNC_PARENT_SECCOMP_FD : 0),
                .timeout_ms = job->timeout_ms,
                .budget_ms = job->timeout_ms,
                .hooks = on_hooks,
                .ready = on_ready,
                .seccomp = job->bundle && job->bundle->filter.notify ? on_seccomp : NULL,
                .trace = job->trace ? on_trace : NULL,
                .userns_cache = job->maps,
                .userdata = job,
        };
        int r;

        if (job->bundle) {
                options.rootfs = job->bundle->root;
                r = allowed(job, &list, reterr);
                if (r < 0) {
                        fd_closep(&socket_fd);
                        return r;
                }
                options.mounts = list.mounts;
                options.n_mounts = list.n;
        }
        r = initsync_parent_new(ret_parent, socket_fd, job->pidfd, &options, reterr);
        if (r == 0)
                make_maps(job->maps, &list);
        return r;
}

int parent_dispatch(struct initsync_parent *parent, struct parent_job *job, struct initsync_error *reterr) {
        struct initsync_error why = INITSYNC_ERROR_INIT;
        int r;

        if (hooks_fd(&job->hooks) >= 0) {
                r = hooks_next(&job->hooks, &why);
                /* -EALREADY when the conversation has failed meanwhile, which the next line tells. */
                if (r <= 0)
                        initsync_parent_resume(parent, r, &why);
        }
        return initsync_parent_dispatch(parent, reterr);
}

int parent_blame(const struct parent_job *job, struct initsync_error *reterr) {
        int32_t left = reterr->mount;
        size_t i;

        /* The library counts in the list that it was given. */
        for (i = 0; job->bundle && left >= 0 && i < job->bundle->n_mounts; i++)
                if (listed(job->bundle, &job->bundle->mounts[i]) && left-- == 0)
                        return fault_in(reterr, "config.json: mounts[%zu]", job->bundle->mounts[i].index);
        return reterr->code;
}

static int converse(struct initsync_parent *parent, struct parent_job *job, struct initsync_error *reterr) {
        int r;

        do {
                struct pollfd wait[] = {
                        { .fd = initsync_parent_get_fd(parent), .events = POLLIN },
                        { .fd = hooks_fd(&job->hooks), .events = POLLIN },
                };

                if (poll(wait, 2, -1) < 0 && errno != EINTR)
                        return fault_call(reterr, -errno, "poll", NULL);
                r = parent_dispatch(parent, job, reterr);
        } while (r > 0);
        return r;
}

/* The container's end is not ours to see, unless it is a failure of ours that brings it about. */
static int after(const struct parent_job *job, int r, struct initsync_error *reterr) {
        struct pollfd ended = { .fd = job->pidfd, .events = POLLIN };

        if (!job->bundle)
                return r;
        if (r == 0) {
                r = hooks_wait(job->bundle, HOOK_POSTSTART, job->pid, -1, -1, reterr);
                if (r < 0)
                        kernel_pidfd_send_signal(job->pidfd, SIGKILL);
        }
        if (r < 0 && poll(&ended, 1, KILLED_MS) > 0)
                hooks_poststop(job->bundle, -1);
        else if (job->bundle->hooks[HOOK_POSTSTOP].n > 0)
                say("warning: config.json: hooks.poststop: left to whoever sees the container's end");
        return r;
}

static int serve(struct parent_job *job, int socket_fd, struct initsync_error *reterr) {
        _cleanup_(parent_maps_freep) struct initsync_userns_cache *maps = parent_maps(job->bundle);
        _cleanup_(parent_freep) struct initsync_parent *parent = NULL;
        int r;

        job->maps = maps;
        r = parent_new(&parent, job, socket_fd, reterr);
        if (r < 0)
                return r;
        r = converse(parent, job, reterr);
        hooks_stop(&job->hooks);
        if (r < 0)
                parent_blame(job, reterr);
        /* The socket's end is no news for those who wait for hooks. */
        parent = initsync_parent_free(parent);
        return after(job, r, reterr);
}

static int start(const struct options *options, struct initsync_error *reterr) {
        _cleanup_(bundle_freep) struct bundle *bundle = NULL;
        _cleanup_(trace_freep) struct trace *trace = NULL;
        _cleanup_fd_ int pidfd = -1, user_fd = -1;
        struct parent_job job = {
                .allow_any_mount = options->allow_any_mount,
                .seccomp_fd = options->seccomp_fd,
                .timeout_ms = options->timeout * 1000,
                .stop_fd = -1,
                .score_fd = -1,
                .pid = options->pid,
                .hooks = HOOKS_NONE,
        };
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
                if (r == 0)
                        r = layers_refuse(bundle, reterr);
                if (r == 0)
                        r = joined_open_user(bundle, &user_fd, reterr);
                if (r < 0)
                        return r;
        }
        job.bundle = bundle;
        job.trace = trace;
        job.pidfd = pidfd;
        job.user_fd = user_fd;
        return serve(&job, options->sync_fd, reterr);
}

int parent_main(const struct options *options) {
        struct initsync_error error;

        if (options->bundle && options->allow_any_mount) {
                say("parent: --bundle and --allow-any-mount exclude each other; see 'syncdemo help parent'");
                return 2;
        }
        signal(SIGPIPE, SIG_IGN);       /* nobody reads our warnings: no reason to end a container */
        if (start(options, &error) < 0) {
                say("%s", error.text);
                return 1;
        }
        return 0;
}
