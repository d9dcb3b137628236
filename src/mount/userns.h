/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_USERNS_H
#define MOUNT_USERNS_H

/* User namespaces as descriptors. */

#include <initsync.h>

/* userns_check() - 0 when @fd is a user namespace, else -EINVAL */
int userns_check(int fd);

enum userns_stage {
        USERNS_CLONED,          /* nothing of the helper is open yet but its pidfd */
        USERNS_OPENED,          /* its map files are */
        USERNS_WRITTEN,         /* its maps are */
};

/* For tests: called at each stage, so that they can kill the helper there. NULL otherwise. */
extern void (*userns_test_stage)(enum userns_stage stage, int pid, int pidfd);

#endif /* MOUNT_USERNS_H */
