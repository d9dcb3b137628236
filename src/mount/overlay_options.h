/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_OVERLAY_OPTIONS_H
#define MOUNT_OVERLAY_OPTIONS_H

/* What is asked of an overlay, as data. */

#include <stddef.h>
#include <initsync.h>

#define OVERLAY_OPTION_MAX 256          /* fsconfig(2) takes no longer string */
#define OVERLAY_DATA_MAX 4096           /* mount(2) reads a page */

/* overlay_check() - is @overlay complete and consistent; -EINVAL, -ERANGE, -E2BIG with the field in @reterr */
int overlay_check(const struct initsync_overlay *overlay, struct initsync_error *reterr);

/*
 * overlay_data() - the options of mount(2) for layers that are attached as "0", "1", ... and "rw"
 * @common:     how much of the paths of upper and work is that of "rw" itself
 *
 * Return: 0; -E2BIG for more than a page.
 */
int overlay_data(const struct initsync_overlay *overlay, size_t common, char to[static OVERLAY_DATA_MAX],
                 struct initsync_error *reterr);

#endif /* MOUNT_OVERLAY_OPTIONS_H */
