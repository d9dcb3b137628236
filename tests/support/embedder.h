/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_EMBEDDER_H
#define SUPPORT_EMBEDDER_H

/* An embedder that is a process of its own, so that it can die, and tells the test what it has. */

#include <sys/types.h>

/** embedder_start() - a process that ends with what @run returns; @ret_said is what embedder_hear() hears it by */
pid_t embedder_start(int (*run)(void), int *ret_said);

/** embedder_say() - in @run: tell the test a number */
void embedder_say(int word);

/** embedder_hear() - wait for the next number */
int embedder_hear(int said);

#endif
