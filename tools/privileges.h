/* SPDX-License-Identifier: MIT */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

/*
 * Whom the container's process runs as, and what it may do.
 */

#include <initsync.h>
#include "process.h"

/*
 * privileges_root() - become id 0 of the user namespace that this process was just started in
 *
 * Keeps the signal that this process gets when its parent dies. That the parent has died meanwhile shows in the
 * conversation, which is all yet to come.
 */
int privileges_root(struct initsync_error *reterr);

/* privileges_new_keyring() - leave the session keyring of whoever started this process; with EPERM a warning that it stays */
int privileges_new_keyring(struct initsync_error *reterr);

/*
 * privileges_enter() - take the ids, the capabilities and no_new_privs of @process
 * @still:    capabilities to have beyond those until the execution, as far as they are there
 * @lifeline: a socket to the parent
 *
 * Keeps the signal too, and fails if there is one and the parent is gone.
 */
int privileges_enter(const struct process *process, uint64_t still, int lifeline, struct initsync_error *reterr);

#endif /* PRIVILEGES_H */
