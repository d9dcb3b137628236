/* SPDX-License-Identifier: MIT */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

/* What passwd(5) says of a user. */
struct account {
        char name[64];
        uid_t uid;
        gid_t gid;
};

/*
 * account_find() - whether there is one for @uid
 *
 * Not with getpwuid(3): in a statically linked program it loads shared libraries of the very C library that it was linked
 * with. A user who is not in /etc/passwd is asked for with getent(1), which does that for us.
 */
bool account_find(uid_t uid, struct account *ret);

#endif /* ACCOUNT_H */
