/* SPDX-License-Identifier: MIT */
#ifndef LAUNCH_H
#define LAUNCH_H

/*
 * A process in namespaces of which some exist already.
 */

#include <initsync.h>
#include "bundle.h"
#include "joined.h"
#include "kernel.h"

/*
 * launch() - clone3() with @args into the namespaces of @joined, and a new time namespace where @bundle wants one
 *
 * Like fork(): returns 0 in the new process, in the calling one its PID or a negative errno. The new process is a child of the
 * calling one, whose own namespaces do not change: a process between the two enters them.
 */
pid_t launch(const struct bundle *bundle, const struct joined *joined, struct kernel_clone_args *args,
             struct initsync_error *reterr);

#endif /* LAUNCH_H */
