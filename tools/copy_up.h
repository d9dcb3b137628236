/* SPDX-License-Identifier: MIT */
#ifndef COPY_UP_H
#define COPY_UP_H

/*
 * "tmpcopyup": a tmpfs begins with what the directory has that it is mounted on.
 */

#include <initsync.h>

/*
 * copy_up() - copy what is in the directory @from, which need not be open for reading, into the empty directory @to
 *
 * Directories, files, symlinks, FIFOs and devices with their modes, owners and times; neither sockets nor extended
 * attributes. A hard link becomes a file of its own; holes stay. What is mounted below @from is left out.
 */
int copy_up(int from, int to, struct initsync_error *reterr);

#endif /* COPY_UP_H */
