/* SPDX-License-Identifier: MIT */
#ifndef TREE_H
#define TREE_H

/*
 * Mounts that are in no place yet, each a descriptor of its root: detached ones where the kernel has all of the calls for
 * that, and no filter around us refuses one; else by mount(2), see stage.h. What only the new calls can do is refused then,
 * by the name of the one that is missing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <initsync.h>
#include "kernel.h"

/* tree_missing() - the call that mount(2) must do for, or NULL; *@ret_code is what it answers. Looks once. */
const char *tree_missing(int *ret_code);

/*
 * tree_begin() - before any other: @directory is where the root file system is going to be, and @path where that is
 *
 * The mount in which it lies must not be a shared one.
 */
int tree_begin(int directory, const char *path, struct initsync_error *reterr);

/* tree_end() - no more of them are going to be made */
void tree_end(void);

/* tree_clone() - of what @fd is open on, with all that is mounted below it where @recursive; @path names it in an error */
int tree_clone(int fd, bool recursive, const char *path, int *ret_tree, struct initsync_error *reterr);

/* tree_make() - a new file system of the type @type; as mount_type_open(). For that alone: only where a call is missing */
int tree_make(const char *type, const char *source, const char *const *data, size_t n, bool read_only, uint64_t attributes,
              int *ret_tree, struct initsync_error *reterr);

/* tree_set() - attributes and propagation, also of one that is in its place; where @recursive, of all below it, too */
int tree_set(int tree, bool recursive, const struct mount_attributes *attr, const char *path, struct initsync_error *reterr);

/* tree_mappable() - 0 if tree_set() can map the ids of a new one, or an error that says what is missing; @path names it */
int tree_mappable(const char *path, struct initsync_error *reterr);

/* tree_attach() - put it in its place: also one that the other half has made */
int tree_attach(int tree, int target, struct initsync_error *reterr);

#endif /* TREE_H */
