/* SPDX-License-Identifier: MIT */
#ifndef CONTAINER_H
#define CONTAINER_H

/*
 * The container's program: its names, identity, directory, environment, descriptors.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"

/* container_names() - hostname and domainname, in the UTS namespace that bundle_load() has seen in the list */
int container_names(const struct bundle *bundle, struct initsync_error *reterr);

/* container_directory() - make the working directory if it is missing; in the root file system @root, before pivot_root() */
int container_directory(const struct bundle *bundle, int root, struct initsync_error *reterr);

/*
 * container_enter() - into the working directory; after pivot_root()
 *
 * As root, since the user may have no right to enter it, or else as the user, whom some file systems let in where root is not:
 * either will do.
 */
int container_enter(const struct bundle *bundle, struct initsync_error *reterr);

/*
 * container_streams() - give the standard streams to the program's user; as root
 *
 * A pipe or a terminal that is root's could be read and written, but not opened once more, as /dev/stdout.
 */
int container_streams(const struct bundle *bundle, struct initsync_error *reterr);

/*
 * container_exec() - load the filter of system calls, and execute the program with @env; returns only when that failed
 * @umask: for it, where bundle has none
 *
 * Every descriptor above 2 is closed by the execution itself, and not before: the socket's end tells the parent that it
 * succeeded.
 */
int container_exec(const struct bundle *bundle, struct initsync_child *child, char *const env[], mode_t mask,
                   struct initsync_error *reterr);

#endif /* CONTAINER_H */
