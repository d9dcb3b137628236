/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include "attend.h"
#include "cleanup.h"
#include "commands.h"
#include "console.h"
#include "dumpable.h"
#include "foreground.h"
#include "kernel.h"
#include "layers.h"
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
        /* It may have come while a callback waited, and ended that. */
        if (r == -EINTR && number == 0)
                number = signals_next(signal_fd);
        if (r == 0 && number)
                spawn_signal(spawned, number);
        return r > 0 || (r == -EINTR && number) ? number : r;
}

/*
 * The program runs: until it ends, everything goes to it. The poststart hooks run beside it; one that still does when a
 * signal has ended the program is ended as well.
 *
 * Return: the exit status, or a negative errno.
 */
static int wait_for_end(struct attend *attend, struct initsync_error *reterr) {
        struct pollfd waits[N_ATTEND];
        int r = attend_begin(attend, reterr) < 0 ? attend->hooks : 1;

        while (r > 0) {
                attend_poll(attend, waits);
                if (poll(waits, N_ATTEND, -1) < 0)
                        memset(waits, 0, sizeof(waits));
                r = attend_next(attend, waits, reterr);
        }
        attend_end(attend);
        return r < 0 ? r : attend->status;
}

/*
 * Where the container's terminal goes: to somebody else, or to ours. In the latter case *@ret_ours gets it.
 *
 * Where neither is, a shell would wait for ever for somebody to type: runc does not start it, either.
 */
static int open_console(const struct options *options, struct process *process, struct terminal *terminal, int *ret_ours,
                        int *ret_theirs, struct initsync_error *reterr) {
        int r;

        if (!process->terminal)
                return options->console_socket ?
                       fault(reterr, -EINVAL, "--console-socket: config.json: process.terminal is not true") : 0;
        if (options->console_socket) {
                r = console_connect(options->console_socket, ret_theirs, reterr);
                return r < 0 ? fault_in(reterr, "--console-socket") : 0;
        }
        r = terminal_open(terminal, STDIN_FILENO, reterr);
        if (r < 0)
                return fault(reterr, r, "config.json: process.terminal: true: standard input is no terminal, and there is "
                             "no --console-socket");
        terminal_size(terminal, &process->console_size);
        return console_pair(ret_ours, ret_theirs, reterr);
}

static int show(struct attend *attend, struct terminal *terminal, int console, struct initsync_error *reterr) {
        int r, master;

        r = console_receive(console, &master, reterr);
        return r < 0 ? r : foreground_attend(attend, terminal, master, reterr);
}

static int serve(struct parent_job *job, struct spawned *spawned, int signal_fd, struct initsync_error *reterr) {
        _cleanup_(parent_maps_freep) struct initsync_userns_cache *maps = parent_maps(job->bundle);
        _cleanup_(parent_freep) struct initsync_parent *parent = NULL;
        int r;

        job->maps = maps;
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

/* From the first message to the program's end, and what follows that. Return: the exit status, or a negative errno. */
static int supervise(struct parent_job *job, struct spawned *spawned, struct watchdog *watchdog, struct terminal *terminal,
                     int console, int signal_fd, struct initsync_error *reterr) {
        struct attend attend = { .job = job, .spawned = spawned, .signal_fd = signal_fd };
        int r = serve(job, spawned, signal_fd, reterr), number = r;

        if (r == 0)
                r = console < 0 ? wait_for_end(&attend, reterr) : show(&attend, terminal, console, reterr);
        if (r < 0 || number > 0)
                pid_file_remove(job->pid_file, job->pid);
        clean_up(job, spawned, watchdog, signal_fd);
        return number > 0 ? 128 + number : r;
}

/* Return: the exit status, or a negative errno. */
static int start(const struct options *options, struct spawned *spawned, struct watchdog *watchdog,
                 struct initsync_error *reterr) {
        _cleanup_(bundle_freep) struct bundle *bundle = NULL;
        _cleanup_(trace_freep) struct trace *trace = NULL;
        struct parent_job job = { .pid_file = options->pid_file, .hooks = HOOKS_NONE };
        bool ordinary = ordinary_user();
        struct terminal terminal = TERMINAL_NONE;
        struct spawn_how how = { 0, -1, -1 };
        _cleanup_fd_ int signal_fd = -1, console = -1;
        int r;

        /* Whoever started us may ignore it, and then nothing would be left to wait for. */
        signal(SIGCHLD, SIG_DFL);
        signal(SIGPIPE, SIG_IGN);       /* nobody reads our warnings: no reason to end a container */
        r = bundle_load(&bundle, options->bundle ? options->bundle : ".", BUNDLE_CHILD, reterr);
        if (r == 0)
                bundle->id = options->args[0];
        /* A user namespace that exists is entered from where its owner is. */
        if (r == 0 && (bundle->namespaces & ~bundle_new_namespaces(bundle) & CLONE_NEWUSER))
                ordinary = false;
        if (r == 0 && ordinary)
                r = ordinary_maps(bundle, reterr);
        if (r == 0)
                r = bundle_startable(bundle, reterr);
        if (r == 0 && ordinary)
                r = ordinary_enter(bundle, reterr);
        if (r == 0)
                r = open_console(options, &bundle->process, &terminal, &console, &how.console, reterr);
        if (r == 0 && options->trace) {
                r = trace_new(&trace, options->trace_file, stderr, "parent");
                if (r < 0)
                        fault_call(reterr, r, "open", options->trace_file);
        }
        if (r == 0)
                r = layers_open(bundle, &how.tree, reterr);
        if (r == 0)
                r = signals_open(&signal_fd, reterr);
        if (r == 0) {
                /* By then init is not to be traced, by an ordinary user's tool neither. */
                job.seccomp_fd = options->seccomp_fd || (bundle->filter.notify && !dumpable_reached());
                how.child_flags = job.seccomp_fd ? INITSYNC_CHILD_SECCOMP_FD : 0;
                r = spawn(spawned, bundle, &how, reterr);
        }
        fd_closep(&how.console);
        fd_closep(&how.tree);
        if (r == 0)
                r = watchdog_start(watchdog, spawned->pidfd, &terminal, reterr);
        if (r < 0)
                return r;
        job.bundle = bundle;
        job.trace = trace;
        job.pid = spawned->pid;
        job.pidfd = spawned->pidfd;
        job.score_fd = spawned->score_fd;
        job.user_fd = joined_user(&spawned->joined);
        job.stop_fd = signal_fd;
        return supervise(&job, spawned, watchdog, &terminal, console, signal_fd, reterr);
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
