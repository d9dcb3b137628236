/* SPDX-License-Identifier: MIT */
#ifndef EXE_EXE_H
#define EXE_EXE_H

/* The running executable, and what makes a copy of it a sealed one. */

#include <initsync.h>
#include <limits.h>
#include "kernel/syscalls.h"

struct exe {
        int fd;                         /* O_PATH */
        char path[PATH_MAX];            /* what the kernel calls it: for a deleted one no path that leads anywhere */
};
#define EXE_INIT { -1, "" }

/* exe_open() - find it; @exe is for exe_close() also after a failure. 0 or a negative errno, then @reterr is filled */
int exe_open(struct exe *exe, struct initsync_error *reterr);
void exe_close(struct exe *exe);

/* exe_name() - the last part of its path */
const char *exe_name(const struct exe *exe);

/* exe_sealed() - is what @fd is open on (O_PATH suffices for an overlay's file) sealed: 1, 0 or a negative errno */
int exe_sealed(int fd);

#endif /* EXE_EXE_H */
