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
 *
 * @ret_resolved: it is known whether there is a file: a negative errno is that of statx(2), else of openat2(2)
 * @ret_dir:    it is a directory
 *
 * Return: what the embedder sees, O_PATH; -EACCES when it is another file, or none (resolved); a negative errno.
 */
int view_compare(int root, const char *rootfs, const char *path, int fd, int *ret_resolved, int *ret_dir);

#endif /* MOUNT_VIEW_H */
