/* SPDX-License-Identifier: MIT */
#ifndef SESSION_POLICY_H
#define SESSION_POLICY_H

/*
 * What a child may have mounted: the runtime's list. What is served is the list's entry; the packet is only compared with it.
 */

#include "mount/source.h"
#include "wire/message.h"

struct policy_entry {
        struct initsync_mount mount;    /* strings and maps are the policy's, maps canonical, descriptors duplicates */
        char *clean;                    /* the source as a path without "." and ".." */
        const char *rest;               /* of it below the root file system, or NULL */
        int used;
};

struct policy {
        char *rootfs;                   /* cleaned, or NULL */
        struct policy_entry *entries;
        size_t n, next;                 /* requests come in the order of the list, as a rule: the search starts here */
};

/* policy_init() - copy the list; on failure nothing is left to free, @reterr names the entry and its field */
int policy_init(struct policy *policy, const char *rootfs, const struct initsync_mount *mounts, size_t n,
                struct initsync_error *reterr);

void policy_free(struct policy *policy);

/*
 * policy_take() - the entry that a request may have, once
 * @asked:      its maps are made canonical
 *
 * Return: its index; -EACCES when it is not listed, or listed differently; -EPROTO when it was served already. In @reterr what
 * differs.
 */
int policy_take(struct policy *policy, struct message_mount *asked, struct initsync_error *reterr);

/*
 * policy_place() - set where a request's source is to be resolved: inside the root file system when it lies below it
 * @ret_clean:  what the request's path may point into; the caller's to free()
 */
int policy_place(const struct policy *policy, const char *source, struct source_request *request, char **ret_clean);

#endif /* SESSION_POLICY_H */
