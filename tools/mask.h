/* SPDX-License-Identifier: MIT */
#ifndef MASK_H
#define MASK_H

/*
 * linux.maskedPaths and linux.readonlyPaths.
 */

#include <initsync.h>
#include "bundle.h"

/* mask_paths() - both, after all mounts and hooks, and before pivot_root(): what covers them is the host's null device */
int mask_paths(const struct bundle *bundle, int root, struct initsync_error *reterr);

#endif /* MASK_H */
