/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_SLOWFS_H
#define SUPPORT_SLOWFS_H

/*
 * A file system in user space whose server is slow: in it are a file "file" and directories of any other name.
 *
 * FLUSH, which close(2) waits for, is never answered: whoever closes the file hangs until the server is gone.
 */

#define SLOWFS_NEVER (-1)

/**
 * slowfs_start() - mount it at the directory @at; each look-up of a name takes @lookup_ms, or is never answered
 *
 * Return: the pid of the server, which lives for 8 s at most: a library that hangs is a failure and no test that hangs; a
 * negative errno where it cannot be mounted.
 */
int slowfs_start(const char *at, int lookup_ms);

/** slowfs_stop() - whoever waits for an answer gets an error */
void slowfs_stop(int server, const char *at);

#endif /* SUPPORT_SLOWFS_H */
