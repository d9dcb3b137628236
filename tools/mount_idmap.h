/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_IDMAP_H
#define MOUNT_IDMAP_H

/*
 * Id mapping of a new file system, which the container's own process has made and maps itself.
 */

#include <initsync.h>
#include "bundle.h"

/*
 * mount_idmap() - map the ids of @tree as @mount asks for, if it does
 *
 * The ids outside are those of the host; in a user namespace they must be among its own. Without maps they are the user
 * namespace's: the file system then stores what the container sees.
 */
int mount_idmap(const struct bundle_mount *mount, const struct bundle *bundle, int tree, struct initsync_error *reterr);

/* mount_is_mapped() - whether @mount is to be id-mapped */
bool mount_is_mapped(const struct bundle_mount *mount);

#endif /* MOUNT_IDMAP_H */
