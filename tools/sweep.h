/* SPDX-License-Identifier: MIT */
#ifndef SWEEP_H
#define SWEEP_H

/*
 * The end of all processes below this one, which is a PR_SET_CHILD_SUBREAPER without a thread.
 */

#include <stdbool.h>
#include <sys/types.h>

/* sweep() - kill all children, and those that come to be children by that; its signals are blocked. False: some stay */
bool sweep(int timeout_ms);

/*
 * sweep_group() - the same of the child @leader and its process group first
 *
 * /proc may be of the container's making: it is believed only what the kernel says as well. Where there is none, or one of
 * another PID namespace, who has left the group remains until the container ends. False: @leader stays.
 */
bool sweep_group(pid_t leader, int timeout_ms);

#endif /* SWEEP_H */
