/* SPDX-License-Identifier: MIT */
#ifndef INIT_H
#define INIT_H

/*
 * The child half: from the namespaces that this process was started in to the container's own program.
 */

#include <initsync.h>
#include "bundle.h"

/*
 * init_run() - set up the container of @bundle, speaking to the parent through @child, and execute its program
 *
 * Returns only when that failed: a negative errno. Telling the parent is left to the caller, initsync_child_fail().
 */
int init_run(const struct bundle *bundle, struct initsync_child *child, struct initsync_error *reterr);

/* init_mounts() - the mounts of @bundle onto the root file system @root, in order; part of init_run() */
int init_mounts(const struct bundle *bundle, int root, struct initsync_child *child, struct initsync_error *reterr);

#endif /* INIT_H */
