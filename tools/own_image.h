/* SPDX-License-Identifier: MIT */
#ifndef OWN_IMAGE_H
#define OWN_IMAGE_H

/*
 * own_image_replace() - have this process run from @fd, a copy of its executable, without executing it
 *
 * What is mapped of the executable is mapped anew, at the same addresses from the copy, and the kernel is told that this is
 * the executable now (PR_SET_MM_MAP, Linux 3.18), which it believes when nothing of the former one is mapped any more. An
 * execution costs several times as much, most of it for what a C library does at its start.
 *
 * Return: 0, or a negative errno: it takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in the user namespace, and /proc. The process
 * goes on as before then, and can execute the copy; but not after -ENOEXEC: that is a copy of another program, by which this one
 * was started, a dynamic linker say.
 */
int own_image_replace(int fd);

#endif /* OWN_IMAGE_H */
