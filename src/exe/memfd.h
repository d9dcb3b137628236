/* SPDX-License-Identifier: MIT */
#ifndef EXE_MEMFD_H
#define EXE_MEMFD_H

/* A sealed copy of the running executable in memory. */

#include "exe/exe.h"

/*
 * memfd_seal() - copy @exe
 *
 * Error texts begin with the call, not with the path.
 */
int memfd_seal(const struct exe *exe, int *ret_fd, struct initsync_error *reterr);

/* memfd_copy() - all of the file @from into the empty memory @to; -ETXTBSY for one that changes meanwhile */
int memfd_copy(int from, int to, struct initsync_error *reterr);

/* memfd_sealed() - 1 when @fd has all the seals, or more; 0 when not; or a negative errno (-EBADF for O_PATH) */
int memfd_sealed(int fd);

#endif /* EXE_MEMFD_H */
