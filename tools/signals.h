/* SPDX-License-Identifier: MIT */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <initsync.h>

/*
 * signals_open() - block the signals that are passed on to a container, and return a descriptor to poll and read them from
 *
 * SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, and SIGHUP unless nohup(1) or the like has it ignored.
 */
int signals_open(int *ret_fd, struct initsync_error *reterr);

/* signals_next() - the number of one that came, or 0 */
int signals_next(int fd);

/* signals_reset() - all as a new program wants them: none ignored, none blocked */
void signals_reset(void);

#endif /* SIGNALS_H */
