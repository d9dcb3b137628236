/* SPDX-License-Identifier: MIT */
#ifndef STATE_H
#define STATE_H

/*
 * The state of a container as the OCI runtime specification has it: what hooks and seccomp agents are told.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"

/*
 * state_new() - the state as an object: ociVersion, id, status, pid, bundle, annotations
 * @status: "creating", "created", "running", "stopped"
 * @pid:    of the container's process, as whoever is told sees it; 0: there is none
 *
 * Return: a reference that is the caller's; NULL without memory.
 */
struct json_object *state_new(const struct bundle *bundle, const char *status, pid_t pid);

/* state_json() - the same as text, which the caller frees */
int state_json(char **ret_text, const struct bundle *bundle, const char *status, pid_t pid, struct initsync_error *reterr);

#endif /* STATE_H */
