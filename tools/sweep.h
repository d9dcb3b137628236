/* SPDX-License-Identifier: MIT */
#ifndef SWEEP_H
#define SWEEP_H

/*
 * The end of all processes below this one.
 */

#include <stdbool.h>

/*
 * sweep() - kill all children of this process, and those that come to be its children by that
 *
 * For a PR_SET_CHILD_SUBREAPER without a thread, whose signals are blocked. Return: false if some do not end in time.
 */
bool sweep(int timeout_ms);

#endif /* SWEEP_H */
