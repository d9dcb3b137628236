/* SPDX-License-Identifier: MIT */
#ifndef ATTEND_H
#define ATTEND_H

/*
 * A program that runs: signals are passed on to it and its poststart hooks run beside it, until it has ended. What else a loop waits
 * for meanwhile is that loop's own affair.
 */

#include <poll.h>
#include <stdbool.h>
#include <initsync.h>
#include "parent.h"
#include "spawned.h"

enum {
        ATTEND_PROCESS,
        ATTEND_SIGNAL,
        ATTEND_HOOK,
        N_ATTEND
};

struct attend {
        struct parent_job *job;
        struct spawned *spawned;
        int signal_fd;                  /* of signals_open() */
        bool ended, signalled;
        int hooks;                      /* 1 while one runs, 0 when there are none left, a negative errno when one failed */
        int status;                     /* the exit status, as spawn_wait() has it, once all is over */
};

/* attend_begin() - start the hooks; 0, or a negative errno of the first */
int attend_begin(struct attend *attend, struct initsync_error *reterr);

/* attend_poll() - fill in what to wait for */
void attend_poll(const struct attend *attend, struct pollfd waits[static N_ATTEND]);

/* attend_next() - after poll(): 1 while it goes on; 0 when the program and the hooks have ended; a negative errno of a hook */
int attend_next(struct attend *attend, const struct pollfd waits[static N_ATTEND], struct initsync_error *reterr);

/* attend_end() - stop what runs of the hooks */
void attend_end(struct attend *attend);

#endif /* ATTEND_H */
