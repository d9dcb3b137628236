/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FUSE_H
#define SUPPORT_FUSE_H

#define FUSE_MAPS       1       /* it takes id mappings (FUSE_ALLOW_IDMAP, since Linux 6.12, and default_permissions) */

#define FUSE_DIRECTORIES 2      /* every name is a directory, which is asked for each time, until the server gets SIGUSR1 */

/* Where fuse_serve() counts what it hears after SIGUSR1, in memory that the test shares with it; or NULL. */
extern volatile unsigned *fuse_heard;

/**
 * fuse_mount() - a file system at the directory @at whose server answers the first request, INIT, and then nothing any more
 *
 * Return: the server's descriptor, still to be served by fuse_serve(): closing its last copy releases all that hang; a
 * negative errno.
 */
int fuse_mount(const char *at, int flags);

/** fuse_serve() - answer INIT, then read requests and stay silent; returns when the file system is gone */
void fuse_serve(int fd, int flags);

#endif
