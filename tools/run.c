/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include "cleanup.h"
#include "commands.h"
#include "kernel.h"
#include "options.h"
#include "ordinary.h"
#include "parent.h"
#include "pid_file.h"
#include "say.h"
#include "signals.h"
#include "spawned.h"
#include "watchdog.h"

#define ID_MAX 1024
#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-"

static void trace_freep(struct trace **trace) {
        trace_free(*trace);
}

/* As with runc, whose state directories have these names. */
static bool is_id(const char *text) {
        size_t n = strlen(text);

        return n > 0 && n <= ID_MAX && text[strspn(text, ID_CHARACTERS)] == '\0' && strcmp(text, ".") != 0 &&
               strcmp(text, "..") != 0;
}

/*
 * The conversation. A signal ends it, as each of them ends a process that has no handler: the child has none yet, and where
 * it is the first of a PID namespace, the kernel would ignore the signal for it.
 *
 * Return: 0; a negative errno; the number of the signal.
 */
static int converse(struct initsync_parent *parent, struct parent_job *job, const struct spawned *spawned, int signal_fd,
                    struct initsync_error *reterr) {
        struct pollfd wait[] = {
                { .fd = initsync_parent_get_fd(parent), .events = POLLIN },
                { .fd = signal_fd, .events = POLLIN },
                { .events = POLLIN },
        };
        int r, number;

        do {
                wait[2].fd = hooks_fd(&job->hooks);
                if (poll(wait, 3, -1) < 0 && errno != EINTR)
                        return fault_call(reterr, -errno, "poll", NULL);
                /* Before a look at the socket: if the program had started when the signal came, its end shows now. */
                number = signals_next(signal_fd);
                r = parent_dispatch(parent, job, reterr);
        } while (r > 0 && number == 0);
        hooks_stop(&job->hooks);
        if (r == 0 && number)
                spawn_signal(spawned, number);
        return r > 0 ? number : r;
}

/*
 * The program runs: until it ends, everything goes to it. The poststart hooks run beside it; one that still does when a
 * signal has ended the program is ended as well.
 *
 * Return: the exit status, or a negative errno.
 */
static int attend(struct parent_job *job, struct spawned *spawned, int signal_fd, struct initsync_error *reterr) {
        struct pollfd wait[] = {
                { .fd = spawned->pidfd, .events = POLLIN },
                { .fd = signal_fd, .events = POLLIN },
                { .events = POLLIN },
        };
        int number, status = 0, r;
        bool signalled = false;

        r = hooks_start(&job->hooks, job->bundle, HOOK_POSTSTART, HOOK_POSTSTART, job->pid, reterr);
        while (r > 0 || (r == 0 && wait[0].fd >= 0)) {
                wait[2].fd = hooks_fd(&job->hooks);
                if (poll(wait, 3, -1) < 0)
                        continue;
                while ((number = signals_next(signal_fd)) > 0) {
                        spawn_signal(spawned, number);
                        signalled = true;
                }
                /* Not reaped yet: hooks were told its number. */
                if (wait[0].revents)
                        wait[0].fd = -1;
                if (r > 0)
                        r = wait[0].fd < 0 && signalled ? 0 : hooks_next(&job->hooks, reterr);
        }
        hooks_stop(&job->hooks);
        if (r == 0)
                spawn_wait(spawned, -1, &status);
        return r < 0 ? r : status;
}

static int serve(struct parent_job *job, struct spawned *spawned, int signal_fd, struct initsync_error *reterr) {
        _cleanup_(parent_freep) struct initsync_parent *parent = NULL;
        int r;

        r = parent_new(&parent, job, take_fd(&spawned->socket_fd), reterr);
        if (r == 0)
                r = converse(parent, job, spawned, signal_fd, reterr);
        return r < 0 ? parent_blame(job, reterr) : r;
}

/* What the container leaves to be done. A signal that came for it is not for its hooks. */
static void clean_up(const struct parent_job *job, struct spawned *spawned, struct watchdog *watchdog, int signal_fd) {
        spawn_end(spawned);
        watchdog_end(watchdog);
        while (signals_next(signal_fd) > 0)
                continue;
        hooks_poststop(job->bundle, signal_fd);
}

/* Return: the exit status, or a negative errno. */
static int start(const struct options *options, struct spawned *spawned, struct watchdog *watchdog,
                 struct initsync_error *reterr) {
        _cleanup_(bundle_freep) struct bundle *bundle = NULL;
        _cleanup_(trace_freep) struct trace *trace = NULL;
        struct parent_job job = { .pid_file = options->pid_file, .hooks = HOOKS_NONE };
        const bool ordinary = ordinary_user();
        _cleanup_fd_ int signal_fd = -1;
        int r, number;

        /* Whoever started us may ignore it, and then nothing would be left to wait for. */
        signal(SIGCHLD, SIG_DFL);
        signal(SIGPIPE, SIG_IGN);       /* nobody reads our warnings: no reason to end a container */
        r = bundle_load(&bundle, options->bundle ? options->bundle : ".", BUNDLE_CHILD, reterr);
        if (r == 0)
                bundle->id = options->args[0];
        if (r == 0 && ordinary)
                r = ordinary_maps(bundle, reterr);
        if (r == 0)
                r = bundle_startable(bundle, reterr);
        if (r == 0 && ordinary)
                r = ordinary_enter(bundle, reterr);
        if (r == 0 && options->trace) {
                r = trace_new(&trace, options->trace_file, stderr, "parent");
                if (r < 0)
                        fault_call(reterr, r, "open", options->trace_file);
        }
        if (r == 0)
                r = signals_open(&signal_fd, reterr);
        if (r == 0)
                r = spawn(spawned, bundle, reterr);
        if (r == 0)
                r = watchdog_start(watchdog, spawned->pidfd, reterr);
        if (r < 0)
                return r;
        job.bundle = bundle;
        job.trace = trace;
        job.pid = spawned->pid;
        job.pidfd = spawned->pidfd;
        r = serve(&job, spawned, signal_fd, reterr);
        number = r;
        if (r == 0)
                r = attend(&job, spawned, signal_fd, reterr);
        if (r < 0 || number > 0)
                pid_file_remove(job.pid_file, job.pid);
        clean_up(&job, spawned, watchdog, signal_fd);
        return number > 0 ? 128 + number : r;
}

int run_main(const struct options *options) {
        struct watchdog watchdog = WATCHDOG_NONE;
        struct spawned spawned = SPAWNED_NONE;
        struct initsync_error error;
        int r;

        if (!is_id(options->args[0])) {
                say("run: bad ID: expected 1 to %d of [A-Za-z0-9_+.-]; see 'syncdemo help run'", ID_MAX);
                return 2;
        }
        r = start(options, &spawned, &watchdog, &error);
        /* Whatever is left of the container ends before a word is said of it. */
        spawn_end(&spawned);
        watchdog_end(&watchdog);
        if (r < 0)
                say("%s", error.text);
        return r < 0 ? 1 : r;
}
