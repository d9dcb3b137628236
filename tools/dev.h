/* SPDX-License-Identifier: MIT */
#ifndef DEV_H
#define DEV_H

/*
 * What a program expects in /dev, and linux.devices.
 */

#include <initsync.h>
#include "bundle.h"

/* dev_is() - 1 if the very text of its destination says /dev; 0; -ENOMEM */
int dev_is(const struct bundle_mount *mount);

/*
 * dev_populate() - make devices and links, after all mounts of @bundle
 * @own: the last file system that the bundle has mounted on /dev, which nothing may hide; -1 without one
 *
 * The default ones only in a file system that the bundle has mounted on /dev; a bind mount there, the host's as a rule, is
 * left as it is, and must have what linux.devices names.
 */
int dev_populate(const struct bundle *bundle, int root, int own, struct initsync_error *reterr);

/* dev_open_null() - a descriptor of the host's null device, known to be it */
int dev_open_null(int *ret_fd, struct initsync_error *reterr);

/* dev_is_bound() - whether /dev is a bind mount, and so somebody else's; 0 or -ENOMEM */
int dev_is_bound(const struct bundle *bundle, bool *ret);

#endif /* DEV_H */
