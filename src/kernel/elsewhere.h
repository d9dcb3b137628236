/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ELSEWHERE_H
#define KERNEL_ELSEWHERE_H

/*
 * close_elsewhere() - close a descriptor whose close(2) may hang for ever
 *
 * The number is free at once; a close that hangs is that of a task, which is then abandoned (see initsync_abandoned()) and
 * shares this process's descriptors until the server of that file ends.
 */
void close_elsewhere(int fd);

#endif /* KERNEL_ELSEWHERE_H */
