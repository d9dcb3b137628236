/* SPDX-License-Identifier: MIT */
#ifndef DEMO_LOOK_H
#define DEMO_LOOK_H

/*
 * Looks at kernel objects: what is there, whatever a call that should have made it has answered. Every function says
 * what it found, or a negative errno; none of them uses the library.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "demo_check.h"

/* look_put(), look_get() - write a small file; read one whole into memory that the caller frees */
int look_put(const char *path, const char *text);
int look_get(const char *path, char **ret_text);

/* look_link() - where a symbolic link leads, or "" */
void look_link(const char *path, char *target, size_t size);

/* look_number() - the number in a file, @otherwise where there is none */
uint32_t look_number(const char *path, uint32_t otherwise);

/* look_owns_ids() - whether user and group ids 0 to @n - 1 mean something in this user namespace */
bool look_owns_ids(uint32_t n);

/* look_descriptors() - how many this process has open; look_children() - 1 if it has any child at all, dead or alive */
int look_descriptors(void);
int look_children(void);

/* look_owner() - of a file, by stat(2) without following a link */
struct owner look_owner(const char *path);

/* A line of mountinfo. */
struct look_mount {
        char point[256], root[256], type[32];
        bool read_only, id_mapped, shared, slave;
};

/* look_mountinfo() - the text of /proc/@pid/mountinfo, as the mounts are below that process's root */
int look_mountinfo(pid_t pid, char **ret_text);

/* look_mount() - the last, which is the topmost, mount at @point */
bool look_mount(const char *mountinfo, const char *point, struct look_mount *ret_mount);

/* look_next() - one mount after the other: *@cursor is the text at first; false past the last */
bool look_next(const char **cursor, struct look_mount *ret_mount);

/* What statmount(2) knows of a mount. */
struct look_statmount {
        int error;                      /* -ENOSYS below Linux 6.8 */
        bool no_maps;                   /* a kernel below 6.15 does not tell them */
        char type[32], root[256], uids[128], gids[128];
};
void look_statmount(const char *path, struct look_statmount *ret);

#endif /* DEMO_LOOK_H */
