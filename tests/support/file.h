/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FILE_H
#define SUPPORT_FILE_H

/* Small files, below namespace_dir() or in /proc. */

#include <sys/types.h>

/** file_read() - all of a text of less than @size bytes, terminated; 0 or a negative errno */
int file_read(const char *path, char *to, size_t size);

/** file_write() - in one write; 0 or a negative errno */
int file_write(const char *path, const char *text);

/**
 * path_of() - "namespace_dir()/NAME", in one of 16 static buffers used in turn
 * @format:     of the name; may be empty
 */
const char *path_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** make_dir() - mkdir; returns @path */
const char *make_dir(const char *path);

/** make_file() - an empty file, owned by @uid and its group of the same number; returns @path */
const char *make_file(const char *path, uid_t uid);

/** make_tmpfs() - mkdir and mount, what takes id maps: see scratch_mount(); returns @path */
const char *make_tmpfs(const char *path);

/** make_mounts() - a tree of @n (8192 or more) mounts at the new directory @path; one more fits at "last" in it */
void make_mounts(const char *path, int n);

/** owner() - the uid of @name below @dirfd, by fstatat(); -1 when it is not there */
long owner(int dirfd, const char *name);

/** mount_line() - the line of the mount at @path (the topmost), in mountinfo: 0, or -1 when there is none */
int mount_line(const char *path, char *to, size_t size);

/** mount_count() - lines of mountinfo */
int mount_count(void);

#endif
