/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_LOOP_H
#define SUPPORT_LOOP_H

/**
 * loop_mount() - a new file system of @type (ext4, xfs, btrfs) in a file, mounted at the directory @at
 *
 * The file has no name any more and the loop device lets go of it with the mount, however the test ends.
 *
 * Return: NULL, or in words what is missing here.
 */
const char *loop_mount(const char *type, const char *at);

/*
 * scratch_mount() - an empty file system that takes id maps, at the directory @at: a tmpfs; before Linux 6.3, whose tmpfs takes
 * none, for root an ext4 in memory
 *
 * Return: 0 or -1 with errno
 */
int scratch_mount(const char *at);

/* scratch_takes_maps() - does what is mounted at @at? */
int scratch_takes_maps(const char *at);

#endif
