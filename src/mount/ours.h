/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_OURS_H
#define MOUNT_OURS_H

/*
 * The embedder's own mounts, to clone a whole tree of them with an id mapping. Of the child's tree only the top can be compared with
 * what the embedder sees: below it the child mounts, and renames, while anybody looks. RAW.
 */

#include "mount/source.h"

/*
 * ours_enter() - leave for a copy of the embedder's mount namespace that nobody else is in
 * @ns:         the embedder's mount namespace, or a pidfd of the embedder
 * @seen:       a directory in it
 *
 * The copy is that of a user namespace with fewer rights, as a container's is: mounts in it receive from the embedder's and send
 * nothing there, and what is mounted in a tree, and its flags, are locked. It ends when this task joins another.
 *
 * Return: the same directory in the copy, O_PATH; a negative errno with @result filled, and the namespace is any of them.
 */
int ours_enter(int ns, int seen, struct source_result *result);

#endif /* MOUNT_OURS_H */
