/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_SOURCE_H
#define SUPPORT_SOURCE_H

/* Asking initsync_mount_open() in one line, with all that holds for each of its answers looked at. */

#include <initsync.h>

/** source_map() - the @count ids from 0 on are those from @outside on; in static memory, good until the next call */
const struct initsync_idmap *source_map(unsigned outside, unsigned count);

/** source_open() - must work; @map for uids and gids, or NULL */
int source_open(const char *path, const struct initsync_idmap *map, uint64_t flags);

/** source_fails() - must fail with @code, in @call (NULL: any), naming the path, and with @word in the text (NULL: none) */
void source_fails(const char *path, const struct initsync_idmap *map, uint64_t flags, int code, const char *call,
                  const char *word);

/** source_fails_as() - the same for all that a struct says; @error is the caller's to look at */
void source_fails_as(const struct initsync_mount *mount, int code, const char *call, const char *word,
                     struct initsync_error *error);

/** source_mapped_by() - the call that maps: open_tree_attr; mount_setattr before Linux 6.15 */
const char *source_mapped_by(void);

/** source_put() - attach it to the directory or file @at */
void source_put(int fd, const char *at);

#endif
