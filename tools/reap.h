/* SPDX-License-Identifier: MIT */
#ifndef REAP_H
#define REAP_H

/*
 * A helper process of ours that has nothing more to do than to end.
 *
 * A container's processes may be of the same user as it is, and stop it: it is told to go on, again and again, and is killed when
 * its time is over.
 */

#include <stdbool.h>
#include <sys/types.h>

#define REAP_KILLED_MS 1000     /* for one that was killed: it hangs in the kernel otherwise, and is left to that */

/* reap() - wait for our child @pid. Return: whether it ended by itself within @timeout_ms; then its wait status */
bool reap(pid_t pid, int timeout_ms, int *ret_status);

#endif /* REAP_H */
