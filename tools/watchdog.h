/* SPDX-License-Identifier: MIT */
#ifndef WATCHDOG_H
#define WATCHDOG_H

/*
 * A process that kills another one when this one ends, however that comes, and puts the terminal in order.
 *
 * PR_SET_PDEATHSIG is not enough: the kernel forgets it as soon as the container's program changes its user, or gains
 * privileges by an execution.
 */

#include <sys/types.h>
#include <initsync.h>
#include "terminal.h"

struct watchdog {
        pid_t pid;                      /* a child of this process; 0: there is none */
        int lifeline;                   /* closed with this process */
};
#define WATCHDOG_NONE { 0, -1 }

/*
 * watchdog_start()
 * @pidfd:    who is to be killed; stays the caller's
 * @terminal: gets the modes back that it was opened with, if it is raw then
 */
int watchdog_start(struct watchdog *watchdog, int pidfd, const struct terminal *terminal, struct initsync_error *reterr);

/* watchdog_end() - also of none; it kills if the other one still lives, which it may be kept from for a few seconds */
void watchdog_end(struct watchdog *watchdog);

#endif /* WATCHDOG_H */
