/* SPDX-License-Identifier: MIT */
#ifndef CONTAINER_H
#define CONTAINER_H

/*
 * The container's program: its identity, directory, environment, descriptors.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"

/* container_enter() - take the identity and the working directory of bundle's process; after pivot_root() */
int container_enter(const struct bundle *bundle, struct initsync_error *reterr);

/*
 * container_exec() - execute the program; returns only when that failed
 * @umask: for it
 *
 * Every descriptor above 2 is closed by the execution itself, and not before: the socket's end tells the parent that it
 * succeeded.
 */
int container_exec(const struct bundle *bundle, mode_t mask, struct initsync_error *reterr);

#endif /* CONTAINER_H */
