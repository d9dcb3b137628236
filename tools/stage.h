/* SPDX-License-Identifier: MIT */
#ifndef STAGE_H
#define STAGE_H

/*
 * Mounts by mount(2) alone: each is made on a file system that only this process's mount namespace has, gets its attributes
 * there, and is moved to its place. All that mount(2) is told is descriptors, as /proc/self/fd/N, so that no name leads
 * elsewhere.
 */

#include <stdbool.h>
#include <stdint.h>
#include <initsync.h>
#include "kernel.h"

struct stage {
        int fd;                 /* a tmpfs's root; -1: not begun */
        unsigned n;             /* mounts made on it so far */
};

/*
 * stage_begin() - mount it on @directory, which is at @path
 *
 * What is to be mounted on @directory later covers it. The mount in which @directory lies must not be a shared one.
 */
int stage_begin(struct stage *stage, int directory, const char *path, struct initsync_error *reterr);

/* stage_bind() - a mount of what @fd is open on, with all below it where @recursive; @path names it in an error */
int stage_bind(struct stage *stage, int fd, bool recursive, const char *path, int *ret_tree, struct initsync_error *reterr);

/* stage_make() - a new file system; as mount_type_open() */
int stage_make(struct stage *stage, const char *type, const char *source, const char *const *data, size_t n, bool read_only,
               uint64_t attributes, int *ret_tree, struct initsync_error *reterr);

/* stage_set() - attributes of the mount @tree alone, and propagation, where @recursive of all below it, too */
int stage_set(int tree, bool recursive, const struct mount_attributes *attr, const char *path,
              struct initsync_error *reterr);

/* stage_reconfigure() - other options, @n of them, for the file system that @tree is a mount of */
int stage_reconfigure(int tree, const char *const *data, size_t n, const char *path, struct initsync_error *reterr);

/* stage_move() - put @tree, or a detached mount, in place */
int stage_move(int tree, int target, struct initsync_error *reterr);

#endif /* STAGE_H */
