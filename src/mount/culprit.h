/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_CULPRIT_H
#define MOUNT_CULPRIT_H

/*
 * Which mount of a tree refuses. The kernel says EINVAL for all of it; here the mounts are listed (listmount, statmount: no file
 * server is asked) and each is tried alone. RAW. Below Linux 6.8 nothing can be said.
 */

#include "mount/source.h"

/* culprit_count() - mounts at or below @fd; may stop counting one past @max; a negative errno where it cannot tell */
int culprit_count(int fd, int max);

/* culprit_count_below() - of these, @fd's own and those at @path or below it; likewise, and slower */
int culprit_count_below(int fd, const char *path, int max);

/*
 * culprit_find() - after an id mapping was refused: fills result->type and result->point
 * @fd:         the source
 * @path:       where that is, seen from the root directory of the calling task; NULL: only the source itself is looked at
 */
void culprit_find(int fd, const struct source_request *request, const char *path, struct source_result *result);

/* culprit_is_mapped() - is the mount that @fd lies on id-mapped already */
int culprit_is_mapped(int fd);

#endif /* MOUNT_CULPRIT_H */
