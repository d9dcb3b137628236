/* SPDX-License-Identifier: MIT */
#ifndef NAMESPACES_H
#define NAMESPACES_H

#include <initsync.h>

/*
 * namespaces_own_mounts() - refuse to go on in the mount namespace of the parent, whose mounts would all be changed
 * @socket_fd: to the parent
 *
 * Return: 0; -EINVAL when it is the parent's; -EPERM or another errno when that cannot be told.
 */
int namespaces_own_mounts(int socket_fd, struct initsync_error *reterr);

#endif /* NAMESPACES_H */
