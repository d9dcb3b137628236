/* SPDX-License-Identifier: MIT */
#ifndef LAUNCH_H
#define LAUNCH_H

/*
 * A process in namespaces of which some exist already.
 */

#include <stdbool.h>
#include <initsync.h>
#include "bundle.h"
#include "joined.h"
#include "kernel.h"

/*
 * launch() - clone3() with @args into the namespaces of @joined, and a new time namespace where @bundle wants one
 *
 * Like fork(): returns 0 in the new process, in the calling one its PID or a negative errno. The new process is a child of
 * the calling one, whose own namespaces do not change: a process between the two enters them.
 *
 * @ret_late_time: in the new process, whether its time namespace is yet to be made: by somebody who has the right to it
 * only in the new user namespace
 */
pid_t launch(const struct bundle *bundle, const struct joined *joined, struct kernel_clone_args *args, bool *ret_late_time,
             struct initsync_error *reterr);

/* launch_late_time() - make it there; the program that this process executes is in it */
int launch_late_time(const struct bundle *bundle, struct initsync_error *reterr);

#endif /* LAUNCH_H */
