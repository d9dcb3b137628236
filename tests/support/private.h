/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_PRIVATE_H
#define SUPPORT_PRIVATE_H

/* A user, mount and network namespace of a test program's own (see oracle_enter()), and the kernel's count of what it made. */

#include <sys/types.h>

/* private_counts() - is this process in one */
int private_counts(void);

/* private_kind() - "user", "mount", NULL */
const char *private_kind(int kind);

/* private_too_many() - are more namespaces of that kind alive than at first */
int private_too_many(int kind);

/* private_read() - the begin of a file, terminated; its length or a negative errno */
ssize_t private_read(const char *path, char *to, size_t size);

#endif /* SUPPORT_PRIVATE_H */
