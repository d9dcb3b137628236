/* SPDX-License-Identifier: MIT */
#ifndef FOREGROUND_H
#define FOREGROUND_H

/*
 * A container on the terminal of this process: what is typed goes to the container's terminal, and what that one shows is
 * shown here, until the container ends.
 */

#include <initsync.h>
#include "attend.h"
#include "terminal.h"

/*
 * foreground_attend() - copy both ways, and pass signals on, until the process has ended and all it wrote has been shown
 * @terminal:  opened; while this process is in its foreground it is in raw mode, and it is restored on return
 * @master:    of the container's terminal; consumes it, also on failure
 *
 * Return: the exit status, as spawn_wait() has it, or a negative errno.
 */
int foreground_attend(struct attend *attend, struct terminal *terminal, int master, struct initsync_error *reterr);

#endif /* FOREGROUND_H */
