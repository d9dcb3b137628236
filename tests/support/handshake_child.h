/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_HANDSHAKE_CHILD_H
#define SUPPORT_HANDSHAKE_CHILD_H

/* The container's side of support/handshake.h, and what both sides know. */

#include "handshake.h"

enum handshake_place {
        HANDSHAKE_SOURCE, HANDSHAKE_TREE, HANDSHAKE_SUB, HANDSHAKE_BAD, HANDSHAKE_BAD_SUB, HANDSHAKE_ROOTFS, HANDSHAKE_INNER,
        HANDSHAKE_TARGET, HANDSHAKE_MAPPED, HANDSHAKE_ELSEWHERE, HANDSHAKE_ALIAS, HANDSHAKE_PATHS,
};
#define HANDSHAKE_MOUNTS 6

extern char handshake_path[HANDSHAKE_PATHS][128];
extern const struct initsync_idmap handshake_map[2];
/* Called, where they are set, in either process when all but the library has what it needs. */
extern void (*handshake_in_child)(void), (*handshake_in_parent)(void);

/* Makes the child elsewhere, with this socket: its pid. NULL: it is forked here. */
extern int (*handshake_fork)(struct handshake *handshake, int socket);

struct initsync_mount handshake_mount(int path, int mapped);

/* handshake_requests() - what is asked for; how many */
size_t handshake_requests(unsigned flags, struct initsync_mount mounts[HANDSHAKE_MOUNTS]);

/* handshake_child() - never returns: exit status 0 after success, 1 after a failure that it was told of in order, more if not */
void handshake_child(struct handshake *handshake, int socket, int parent_fd) __attribute__((noreturn));

#endif /* SUPPORT_HANDSHAKE_CHILD_H */
