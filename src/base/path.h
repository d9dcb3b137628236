/* SPDX-License-Identifier: MIT */
#ifndef BASE_PATH_H
#define BASE_PATH_H

/* Paths as text. Nothing here asks the file system. */

#include <stddef.h>

/*
 * path_clean() - an absolute path without empty, "." and ".." components, in a new string
 *
 * What the kernel would find may differ where a component before ".." is a symlink: good for deciding where a path means to
 * lie, never for opening it as if it were the original.
 */
char *path_clean(const char *path);

/*
 * path_below() - where @path, cleaned, lies below @root, cleaned
 *
 * Returns the rest, beginning with '/' (or "" for @root itself), or NULL.
 */
const char *path_below(const char *path, const char *root);

#endif /* BASE_PATH_H */
