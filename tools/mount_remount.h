/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_REMOUNT_H
#define MOUNT_REMOUNT_H

/*
 * "remount": other attributes for a mount that an earlier entry has made; without "bind" also other options for its file
 * system. What the options do not name stays as it is.
 */

#include <initsync.h>
#include "bundle.h"

/*
 * mount_remount_find() - the last of the @n mounts that has the destination of @mount; -ENOENT, -ENOMEM
 *
 * By what the entries say: no path is looked at, so that nothing else can come to be meant.
 */
int mount_remount_find(const struct bundle_mount *mounts, size_t n, const struct bundle_mount *mount);

/* mount_remount() - do it, to what @tree is a descriptor of; a read-only tmpfs is left for later, see mount_type_later() */
int mount_remount(const struct bundle_mount *mount, int tree, struct initsync_error *reterr);

#endif /* MOUNT_REMOUNT_H */
