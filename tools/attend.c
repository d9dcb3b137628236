/* SPDX-License-Identifier: MIT */
#include "attend.h"
#include "signals.h"

int attend_begin(struct attend *attend, struct initsync_error *reterr) {
        struct parent_job *job = attend->job;

        attend->hooks = hooks_start(&job->hooks, job->bundle, HOOK_POSTSTART, HOOK_POSTSTART, job->pid, reterr);
        return attend->hooks < 0 ? attend->hooks : 0;
}

void attend_poll(const struct attend *attend, struct pollfd waits[static N_ATTEND]) {
        waits[ATTEND_PROCESS] = (struct pollfd){ .fd = attend->ended ? -1 : attend->spawned->pidfd, .events = POLLIN };
        waits[ATTEND_SIGNAL] = (struct pollfd){ .fd = attend->signal_fd, .events = POLLIN };
        waits[ATTEND_HOOK] = (struct pollfd){ .fd = hooks_fd(&attend->job->hooks), .events = POLLIN };
}

int attend_next(struct attend *attend, const struct pollfd waits[static N_ATTEND], struct initsync_error *reterr) {
        int number;

        while ((number = signals_next(attend->signal_fd)) > 0) {
                spawn_signal(attend->spawned, number);
                attend->signalled = true;
        }
        if (waits[ATTEND_PROCESS].revents)
                attend->ended = true;
        /* Whoever sent a signal does not want to wait for hooks of a program that is gone. */
        if (attend->hooks > 0)
                attend->hooks = attend->ended && attend->signalled ? 0 : hooks_next(&attend->job->hooks, reterr);
        if (attend->hooks < 0)
                return attend->hooks;
        if (!attend->ended || attend->hooks > 0)
                return 1;
        /* Not reaped before: hooks were told its number. */
        hooks_stop(&attend->job->hooks);
        spawn_wait(attend->spawned, -1, &attend->status);
        return 0;
}

void attend_end(struct attend *attend) {
        hooks_stop(&attend->job->hooks);
}
