/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_LAYERS_H
#define SUPPORT_LAYERS_H

/* An overlay that is as it should be, which a test then changes or looks through. */

#include <initsync.h>

/** layers_map - what layers() asks for: root's and the next 65,535 ids are those from 100,000 on */
extern const struct initsync_idmap layers_map;

/** layers_lower - the paths that layers() gives: another may be put in the place of one */
extern const char *layers_lower[INITSYNC_OVERLAY_LAYERS_MAX + 1];

/**
 * layers() - of @n layers on the file system at "fs", which each have a file of 0, "of-0-NUMBER", and one of 1000,
 * "of-1000-NUMBER"; "up" and "work" beside them. In static memory, good until the next call
 */
struct initsync_overlay layers(size_t n);

/** layers_open() - initsync_overlay_open(), which must work */
int layers_open(const struct initsync_overlay *overlay);

#endif
