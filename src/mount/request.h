/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_REQUEST_H
#define MOUNT_REQUEST_H

/* From the public struct initsync_mount to what the kernel is asked, and from its answer to words. */

#include <initsync.h>
#include "mount/source.h"

enum request_for {
        REQUEST_HERE,           /* initsync_mount_open() */
        REQUEST_LIST,           /* an entry of the runtime's list */
        REQUEST_CHILD,          /* to be asked for over the wire */
};

/* request_check() - is @mount complete and consistent; -EINVAL, -ERANGE, -E2BIG with the field in @reterr */
int request_check(const struct initsync_mount *mount, enum request_for use, struct initsync_error *reterr);

/* request_fill() - the part that is the same for all; descriptors are left to the caller */
void request_fill(struct source_request *request, const struct initsync_mount *mount);

/* request_error() - what @result means for @path, in one line; returns result->error */
int request_error(const struct source_result *result, const struct source_request *request, const char *path,
                  struct initsync_error *reterr);

#endif /* MOUNT_REQUEST_H */
