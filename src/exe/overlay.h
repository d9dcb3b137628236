/* SPDX-License-Identifier: MIT */
#ifndef EXE_OVERLAY_H
#define EXE_OVERLAY_H

/* The running executable as a file of an overlay that nobody can write to: nothing is copied, and pages are shared. */

#include "exe/exe.h"

/*
 * overlay_seal() - an O_PATH descriptor for it; -ESTALE when the executable is not what its path leads to
 *
 * Error texts begin with the call, not with the path.
 */
int overlay_seal(const struct exe *exe, int *ret_fd, struct initsync_error *reterr);

#endif /* EXE_OVERLAY_H */
