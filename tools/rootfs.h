/* SPDX-License-Identifier: MIT */
#ifndef ROOTFS_H
#define ROOTFS_H

/*
 * The container's root file system: a mount of its own, reached by a descriptor only, inside which every path is resolved
 * that the image can influence.
 */

#include <stdbool.h>
#include <stdint.h>
#include <initsync.h>

/* rootfs_isolate() - cut this mount namespace off from the one it came from, as linux.rootfsPropagation has it, or 0 */
int rootfs_isolate(uint64_t propagation, struct initsync_error *reterr);

/*
 * rootfs_open() - make a mount of the directory @path, of its own and the same @propagation; *@ret_fd is its root
 * @tree: a detached mount to put there instead, or -1; consumes it
 */
int rootfs_open(const char *path, int given, uint64_t propagation, int *ret_fd, struct initsync_error *reterr);

/* rootfs_undo() - take it away again, with all that is mounted on it: in a mount namespace that others are in it would stay */
void rootfs_undo(int root);

/* rootfs_resolve() - an O_PATH descriptor of what @path is inside the root file system, or a negative errno */
int rootfs_resolve(int root, const char *path);

/*
 * rootfs_inside() - where in @path what lies below the root file system begins, if @path, with its symlinks, leads there by
 * whatever name; or NULL
 */
const char *rootfs_inside(int root, const char *path);

/* rootfs_make() - the same, and what is missing is made: a @directory, or else a file; 1 if it was, or else 0 */
int rootfs_make(int root, const char *path, bool directory, int *ret_fd, struct initsync_error *reterr);

/* rootfs_mount_point() - the same for a mount point, which the root file system itself is not */
int rootfs_mount_point(int root, const char *path, bool directory, int *ret_fd, struct initsync_error *reterr);

/* rootfs_ordinary() - 0 if @path leads to @fd without a symlink on its way, -ELOOP or another errno if not */
int rootfs_ordinary(int root, const char *path, int fd);

/* rootfs_same() - whether both descriptors are of the same file in the same mount */
bool rootfs_same(int a, int b);

/* rootfs_pivot() - make it this process's root directory, and detach the old one */
int rootfs_pivot(int root, uint64_t propagation, bool readonly, struct initsync_error *reterr);

#endif /* ROOTFS_H */
