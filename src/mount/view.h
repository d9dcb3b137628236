/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_VIEW_H
#define MOUNT_VIEW_H

/*
 * Is what lies at a path in the child's mount namespace what the runtime sees there? A child that may mount can lay anything over
 * a listed path, and would otherwise be given that with rights, and with an id mapping, that it does not have. RAW.
 */

/*
 * view_compare() - compare @fd, opened in the child's namespace, with what the embedder sees, without asking a file server
 * @root:       the embedder's root directory, opened before the namespace was joined
 * @rootfs:     @path is resolved inside this directory; NULL: in @root
 * @links:      follow symlinks
 *
 * @ret_resolved: it is known whether there is a file: a negative errno is that of statx(2), else of openat2(2)
 * @ret_dir:    it is a directory
 *
 * Return: what the embedder sees, O_PATH; -EACCES when it is another file, or none (resolved); -ELOOP when there is a symlink and not
 * @links; a negative errno.
 */
int view_compare(int root, const char *rootfs, const char *path, int fd, int links, int *ret_resolved, int *ret_dir);

/*
 * view_inside() - does @path, as the embedder sees it, lead through the directory @rootfs, however either of them is spelled
 *
 * Return: where in @path what lies below that begins, which may be its end; 0 when it does not lead through it; a negative errno
 * when that is not known.
 */
int view_inside(int root, const char *path, const char *rootfs);

#endif /* MOUNT_VIEW_H */
