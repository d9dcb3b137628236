/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_OVERLAY_H
#define KERNEL_OVERLAY_H

/* An overlay that nobody can write to, over a directory, in no mount namespace and with no path in it. */

/*
 * overlay_tmpfs() - an empty tmpfs, detached, with the MOUNT_ATTR_ of @attributes: a descriptor or a negative errno, and in
 * *@ret_call what failed
 */
int overlay_tmpfs(unsigned attributes, const char **ret_call);

/*
 * overlay_over() - a detached mount that shows the directory @dir, without any upper layer: it cannot be made writable
 * @ret_call:   what failed
 *
 * Read-only, nosuid and nodev as a mount, too. Inode numbers of files in it are those in @dir.
 *
 * Return: a descriptor; -EPERM without CAP_SYS_ADMIN in the user namespace of the mount namespace; -ENODEV without
 * overlayfs; -EINVAL, -EBADF or -EOPNOTSUPP below Linux 6.15, or for a directory that overlayfs does not take.
 */
int overlay_over(int dir, const char **ret_call);

#endif /* KERNEL_OVERLAY_H */
