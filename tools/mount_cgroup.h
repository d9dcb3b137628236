/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_CGROUP_H
#define MOUNT_CGROUP_H

/*
 * Mounts of the type "cgroup", which stands for whatever control groups the host has: on a host with version 2 that one
 * hierarchy; on one with version 1 a tmpfs with a mount for each of the hierarchies and links for their controllers, as runc
 * makes them. In a cgroup namespace they are new mounts, which show the container's groups only; without one, binds of the
 * host's.
 */

#include <initsync.h>
#include "bundle.h"

/* mount_cgroup_make() - what goes to the destination of @mount: the hierarchy, or the tmpfs */
int mount_cgroup_make(const struct bundle_mount *mount, bool namespace, int *ret_tree, struct initsync_error *reterr);

/* mount_cgroup_populate() - with version 1, what goes into it, once @tree is attached */
int mount_cgroup_populate(const struct bundle_mount *mount, bool namespace, int tree, struct initsync_error *reterr);

#endif /* MOUNT_CGROUP_H */
