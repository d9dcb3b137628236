/* SPDX-License-Identifier: MIT */
#ifndef PARENT_H
#define PARENT_H

/*
 * The parent half: what the runtime does for the container of a bundle.
 */

#include <stdbool.h>
#include <initsync.h>
#include "bundle.h"
#include "trace.h"

struct parent_job {
        const struct bundle *bundle;    /* its mounts are allowed; NULL: none is */
        bool allow_any_mount;           /* instead of a bundle */
        int timeout_ms;                 /* 0: the library's own */
        struct trace *trace;            /* or NULL */
};

/*
 * parent_serve() - serve a child until it executes its program, or fails
 * @socket_fd: the parent's end; consumes it
 * @pidfd:     the child; stays the caller's
 */
int parent_serve(const struct parent_job *job, int socket_fd, int pidfd, struct initsync_error *reterr);

#endif /* PARENT_H */
