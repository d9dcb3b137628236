/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_FLAGS_H
#define MOUNT_FLAGS_H

/*
 * The flags of mount(2) that MOUNT_ATTR_* and words of options stand for, and those that a mount has.
 */

#include <stdbool.h>
#include <stdint.h>
#include <initsync.h>

/* mount_flags() - the MS_* for @attributes, MOUNT_ATTR_*; one for access times is always among them */
unsigned long mount_flags(uint64_t attributes);

/* mount_flags_word() - whether @option is one of file systems that mount(2) takes as a flag, set or cleared in *@flags */
bool mount_flags_word(const char *option, unsigned long *flags);

/*
 * mount_flags_read() - what the mount has that @fd is of
 * @ret_attributes: MOUNT_ATTR_*, of the mount alone
 * @ret_super:      MS_*, of the file system
 * @path:           names it in an error
 *
 * From this process's table of mounts: statfs(2) tells neither of the two alone, and asks a file server, which may not
 * answer.
 */
int mount_flags_read(int fd, const char *path, uint64_t *ret_attributes, unsigned long *ret_super,
                     struct initsync_error *reterr);

/* mount_flags_tmpfs() - 1 if it is a tmpfs with this @source, 0 if not; the same otherwise */
int mount_flags_tmpfs(int fd, const char *path, const char *source, struct initsync_error *reterr);

#endif /* MOUNT_FLAGS_H */
