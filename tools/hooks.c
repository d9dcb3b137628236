/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include "cleanup.h"
#include "hooks.h"
#include "say.h"
#include "signals.h"
#include "state.h"

static const char *const statuses[N_HOOK_KINDS] = {
        [HOOK_PRESTART] = "creating",
        [HOOK_CREATE_RUNTIME] = "creating",
        [HOOK_CREATE_CONTAINER] = "creating",
        [HOOK_START_CONTAINER] = "created",
        [HOOK_POSTSTART] = "running",
        [HOOK_POSTSTOP] = "stopped",
};

static const struct hook *current(const struct hooks *hooks) {
        return &hooks->bundle->hooks[hooks->kind].hooks[hooks->index];
}

static int named(const struct hooks *hooks, struct initsync_error *reterr) {
        return fault_in(reterr, "config.json: hooks.%s[%zu]", hook_kind_name(hooks->kind), hooks->index);
}

static int start(struct hooks *hooks, struct initsync_error *reterr) {
        _cleanup_fd_ int bundle = -1;
        _cleanup_free_ char *state = NULL;
        int r, directory = hooks->directory;

        if (hooks->kind != HOOK_CREATE_CONTAINER && hooks->kind != HOOK_START_CONTAINER) {
                bundle = directory = open(hooks->bundle->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (bundle < 0)
                        return fault_call(reterr, -errno, "open", hooks->bundle->path);
        }
        r = state_json(&state, hooks->bundle, statuses[hooks->kind], hooks->pid, reterr);
        return r < 0 ? r : hook_start(&hooks->run, current(hooks), state, directory, reterr);
}

/* The next that has not run yet. */
static int go_on(struct hooks *hooks, struct initsync_error *reterr) {
        int r;

        while (hooks->index >= hooks->bundle->hooks[hooks->kind].n) {
                if (hooks->kind == hooks->last)
                        return 0;
                hooks->kind++;
                hooks->index = 0;
        }
        r = start(hooks, reterr);
        if (r == 0)
                return 1;
        named(hooks, reterr);
        hooks->index++;
        return r;
}

int hooks_start(struct hooks *hooks, const struct bundle *bundle, enum hook_kind first, enum hook_kind last, pid_t pid,
                struct initsync_error *reterr) {
        hooks->bundle = bundle;
        hooks->kind = first;
        hooks->last = last;
        hooks->index = 0;
        hooks->pid = pid;
        return go_on(hooks, reterr);
}

int hooks_fd(const struct hooks *hooks) {
        return hooks->run.keeper > 0 ? hooks->run.report : -1;
}

int hooks_next(struct hooks *hooks, struct initsync_error *reterr) {
        struct pollfd ended = { .fd = hooks_fd(hooks), .events = POLLIN };
        int r;

        if (ended.fd < 0)
                return 0;
        if (poll(&ended, 1, 0) <= 0)
                return 1;
        r = hook_result(&hooks->run, current(hooks), reterr);
        if (r < 0)
                named(hooks, reterr);
        /* Also behind one that failed: no hook runs twice. */
        hooks->index++;
        return r < 0 ? r : go_on(hooks, reterr);
}

void hooks_stop(struct hooks *hooks) {
        hook_kill(&hooks->run);
}

int hooks_wait(const struct bundle *bundle, enum hook_kind kind, pid_t pid, int directory, int peer,
               struct initsync_error *reterr) {
        struct hooks hooks = HOOKS_NONE;
        int r;

        hooks.directory = directory;
        r = hooks_start(&hooks, bundle, kind, kind, pid, reterr);
        while (r > 0) {
                struct pollfd wait[] = {
                        { .fd = hooks_fd(&hooks), .events = POLLIN },
                        { .fd = peer, .events = POLLRDHUP },
                };

                if (poll(wait, 2, -1) < 0)
                        continue;
                if (wait[1].revents) {
                        hooks_stop(&hooks);
                        fault(reterr, -ECONNRESET, "killed: the runtime has ended the conversation");
                        return named(&hooks, reterr);
                }
                r = hooks_next(&hooks, reterr);
        }
        return r;
}

void hooks_poststop(const struct bundle *bundle, int signal_fd) {
        struct hooks hooks = HOOKS_NONE;
        struct initsync_error error;
        int r, number;

        r = hooks_start(&hooks, bundle, HOOK_POSTSTOP, HOOK_POSTSTOP, 0, &error);
        while (r != 0) {
                struct pollfd wait[] = {
                        { .fd = hooks_fd(&hooks), .events = POLLIN },
                        { .fd = signal_fd, .events = POLLIN },
                };

                if (r < 0) {
                        say("warning: %s", error.text);
                        r = go_on(&hooks, &error);
                        continue;
                }
                if (poll(wait, 2, -1) < 0)
                        continue;
                r = hooks_next(&hooks, &error);
                number = r > 0 && signal_fd >= 0 ? signals_next(signal_fd) : 0;
                if (number) {
                        hooks_stop(&hooks);
                        fault(&error, -ECANCELED, "killed: signal %d", number);
                        r = named(&hooks, &error);
                        hooks.index++;
                }
        }
}
