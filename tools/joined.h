/* SPDX-License-Identifier: MIT */
#ifndef JOINED_H
#define JOINED_H

/*
 * Namespaces that exist already: linux.namespaces with a path.
 */

#include <initsync.h>
#include "bundle.h"

struct joined {
        struct joined_namespace {
                int flag, fd;           /* CLONE_NEW*, a descriptor of it */
                size_t index;           /* in linux.namespaces */
        } list[BUNDLE_NAMESPACES];
        size_t n;
};
#define JOINED_NONE { { { 0, -1, 0 } }, 0 }

/* joined_open() - the namespaces that @bundle names by a path, each seen to be one of its type */
int joined_open(struct joined *joined, const struct bundle *bundle, struct initsync_error *reterr);

/* joined_open_user() - of the user namespace alone; -1 in *@ret_fd where there is none */
int joined_open_user(const struct bundle *bundle, int *ret_fd, struct initsync_error *reterr);

void joined_close(struct joined *joined);

/* joined_user() - the descriptor of the user namespace, or -1 */
int joined_user(const struct joined *joined);

/*
 * joined_enter() - bring this process, of one thread, into all of them, for what it starts next
 *
 * The user namespace comes between those that only its outside may enter and those that only its own root may.
 */
int joined_enter(const struct joined *joined, struct initsync_error *reterr);

/* joined_check_maps() - in the user namespace: whether it has the maps that @bundle gives, if it gives any */
int joined_check_maps(const struct bundle *bundle, struct initsync_error *reterr);

#endif /* JOINED_H */
