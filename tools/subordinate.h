/* SPDX-License-Identifier: MIT */
#ifndef SUBORDINATE_H
#define SUBORDINATE_H

/*
 * The ids that an ordinary user may map beside the own one: subuid(5), subgid(5).
 */

#include <stdbool.h>
#include <sys/types.h>
#include "bundle.h"

/*
 * subordinate_read() - those that the file @path has for the user @uid, called @name, and @own: inside as outside,
 * ascending, and ranges that touch are one
 *
 * Lines that are none are passed over, and so is the file when it cannot be read. Return: 0 or -ENOMEM.
 */
int subordinate_read(const char *path, const char *name, uid_t uid, uint32_t own, struct bundle_map *ret);

/* subordinate_covers() - whether one of the ranges has all ids of @extent's outside */
bool subordinate_covers(const struct bundle_map *ranges, const struct initsync_idmap *extent);

#endif /* SUBORDINATE_H */
