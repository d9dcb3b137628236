/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_HELPER_H
#define MOUNT_HELPER_H

/*
 * helper_wait() - main function of a task that exists and waits to be killed
 * @embedder:   its parent's pid, as a pointer; dies with the thread that made it
 */
int helper_wait(void *embedder);

#endif /* MOUNT_HELPER_H */
