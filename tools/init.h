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
 * @console:  a socket that the master of its terminal is sent to, exactly when it is to have one; or -1; consumes it
 * @tree:     a detached mount to be the root file system, on root.path; or -1: what is there; consumes it
 * @lifeline: a duplicate of the socket, which shows whether the parent lives; consumes it
 *
 * Returns only when that failed: a negative errno. Telling the parent is left to the caller, initsync_child_fail().
 */
int init_run(const struct bundle *bundle, struct initsync_child *child, int console, int tree, int lifeline,
             struct initsync_error *reterr);

/*
 * The parts of init_run() that have a file of their own.
 */

/* Mounts that are to become read-only once nothing is to be made in them any more. */
struct init_late {
        int *trees;
        size_t n;
        int *kept;                      /* by their place in bundle->mounts: those that are remounted, else -1 */
        size_t n_kept;
        int dev;                /* the last one that the bundle has mounted on /dev, or -1 */
};

/* init_mounts() - the mounts of @bundle onto the root file system @root, in order, and what belongs into /dev */
int init_mounts(const struct bundle *bundle, int root, struct initsync_child *child, struct init_late *ret_late,
                struct initsync_error *reterr);

/* init_finish() - after the hooks: all that takes something away, as read-only mounts and masked paths do */
int init_finish(const struct bundle *bundle, int root, const struct init_late *late, struct initsync_error *reterr);

/* init_late_free() - also of one whose init_mounts() failed; { NULL, 0, -1 } is an empty one */
void init_late_free(struct init_late *late);

#endif /* INIT_H */
