/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "session/parent.h"

static const char *const names[] = {
        [WAITING_ALLOW] = "allow",
        [WAITING_HOOKS] = "hooks",
        [WAITING_READY] = "ready",
        [WAITING_SECCOMP] = "seccomp",
};

static void refuse(struct initsync_parent *parent, enum parent_waiting what, int result, const struct initsync_error *why) {
        struct initsync_error error;

        if (why->text[0])
                error_say(&error, result, INITSYNC_STAGE_CALLBACK, NULL, NULL, "%s: %.*s", names[what],
                          (int)sizeof(why->text) - 1, why->text);
        else if (what == WAITING_HOOKS && !parent->options.hooks)
                error_set(&error, result, INITSYNC_STAGE_CALLBACK, NULL, NULL, "%s: the runtime has no such callback", names[what]);
        else
                error_set(&error, result, INITSYNC_STAGE_CALLBACK, NULL, NULL, "%s: the runtime's callback", names[what]);
        memcpy(error.call, why->call, sizeof(error.call) - 1);
        if (why->path[0])
                error_path(&error, why->path);
        parent_fail(parent, &error, BLAME_NOBODY);
}

static void allowed(struct initsync_parent *parent) {
        parent_order_other(parent, &parent->serve, parent->asked.source);
}

void parent_answer(struct initsync_parent *parent, enum parent_waiting what, int result, struct initsync_error *why) {
        if (parent->phase != PARENT_TALKING)
                return;
        if (result < 0) {
                why->text[sizeof(why->text) - 1] = why->call[sizeof(why->call) - 1] = why->path[sizeof(why->path) - 1] = '\0';
                refuse(parent, what, result, why);
                return;
        }
        switch (what) {
        case WAITING_ALLOW:
                allowed(parent);
                break;
        case WAITING_HOOKS:
                parent_send(parent, MESSAGE_HOOKS_DONE);
                break;
        case WAITING_READY:
                parent_send(parent, MESSAGE_RUN);
                break;
        case WAITING_SECCOMP:
                parent_send(parent, MESSAGE_SECCOMP_DONE);
                break;
        case WAITING_NO:
                break;
        }
}

static int run(struct initsync_parent *parent, enum parent_waiting what, struct initsync_error *why) {
        const struct initsync_parent_options *options = &parent->options;

        switch (what) {
        case WAITING_ALLOW:
                return options->allow(&parent->asked, &parent->serve, options->userdata, why);
        case WAITING_HOOKS:
                return options->hooks ? options->hooks(options->userdata, why) : -EOPNOTSUPP;
        case WAITING_READY:
                return options->ready ? options->ready(options->userdata, why) : 0;
        case WAITING_SECCOMP:
                return options->seccomp(fd_take(&parent->given[0]), options->userdata, why);
        case WAITING_NO:
                break;
        }
        return -EINVAL;
}

void parent_ask(struct initsync_parent *parent, enum parent_waiting what) {
        struct initsync_error why;
        int r;

        memset(&why, 0, sizeof(why));
        deadline_pause(&parent->deadlines, clock_now());
        r = run(parent, what, &why);
        if (r == INITSYNC_LATER) {
                parent->waiting = what;
                return;
        }
        deadline_resume(&parent->deadlines, clock_now());
        parent_answer(parent, what, r > 0 ? -EINVAL : r, &why);
}

void parent_ask_allow(struct initsync_parent *parent) {
        parent->serve = parent->asked;
        parent_ask(parent, WAITING_ALLOW);
}
