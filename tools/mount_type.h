/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_TYPE_H
#define MOUNT_TYPE_H

/*
 * New file systems, as detached mounts.
 */

#include <stdbool.h>
#include <initsync.h>
#include "bundle.h"

/*
 * mount_type_open() - a new file system of the type @type
 * @source:     what it is made of, or only a name
 * @data:       its options, @n of them
 * @read_only:  whether the file system itself is
 * @attributes: MOUNT_ATTR_*, of the mount
 * @reterr:     says, where it can be told, why an ordinary user gets no such file system
 */
int mount_type_open(const char *type, const char *source, const char *const *data, size_t n, bool read_only,
                    uint64_t attributes, int *ret_tree, struct initsync_error *reterr);

/* mount_type_make() - the file system that @mount asks for; it is not read-only yet when mount_type_later() says so */
int mount_type_make(const struct bundle_mount *mount, int *ret_tree, struct initsync_error *reterr);

/* mount_type_reconfigure() - other options, @n of them, for the file system that @tree is a mount of; @what names it */
int mount_type_reconfigure(const char *what, const char *const *data, size_t n, int tree, struct initsync_error *reterr);

/* mount_type_later() - whether it becomes read-only only when all else is done: mount points and devices are made in it */
bool mount_type_later(const struct bundle_mount *mount);

/* mount_type_ordinary() - whether it may be mounted only where its destination's very text says */
bool mount_type_ordinary(const struct bundle_mount *mount);

/* mount_type_hidden() - whether @fd is in one of those, from which masked paths take something away */
bool mount_type_hidden(int fd);

#endif /* MOUNT_TYPE_H */
