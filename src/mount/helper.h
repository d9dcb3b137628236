/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_HELPER_H
#define MOUNT_HELPER_H

struct helper_life {
        int embedder;           /* its parent's pid */
        int over;               /* it shall end by itself, soon: should the kill be refused */
};

/*
 * helper_wait() - main function of a task that exists and waits to be killed
 * @life:       a struct helper_life; it also dies with the thread that made it
 */
int helper_wait(void *arg);

#endif /* MOUNT_HELPER_H */
