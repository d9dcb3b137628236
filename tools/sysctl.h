/* SPDX-License-Identifier: MIT */
#ifndef SYSCTL_H
#define SYSCTL_H

/*
 * linux.sysctl: parameters of the kernel, those only that a namespace has for itself. Any other would be the host's.
 */

#include <initsync.h>
#include "node.h"

struct sysctl {
        const char *name, *value;       /* as they stand in config.json */
        char *path;                     /* below /proc/sys */
        int flag;                       /* CLONE_NEW*, the namespace that it belongs to */
};

struct sysctls {
        struct sysctl *list;
        size_t n;
};

/* sysctls_read() - "sysctl" of @linux_; each belongs to one of the container's @namespaces (CLONE_NEW*), or is refused */
int sysctls_read(struct sysctls *sysctls, const struct node *linux_, int namespaces, struct initsync_error *reterr);
void sysctls_free(struct sysctls *sysctls);

/* sysctls_write() - in the namespaces of this process, while /proc is still the host's */
int sysctls_write(const struct sysctls *sysctls, struct initsync_error *reterr);

#endif /* SYSCTL_H */
