/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/idmap.h"
#include "base/path.h"
#include "kernel/fd.h"
#include "mount/request.h"
#include "mount/userns.h"
#include "session/policy.h"

static void entry_free(struct policy_entry *entry) {
        free((char *)entry->mount.source);
        free((char *)entry->mount.destination);
        free((char *)entry->mount.userns_path);
        free((struct initsync_idmap *)entry->mount.uids);
        free((struct initsync_idmap *)entry->mount.gids);
        fd_close(entry->mount.userns_fd);
        fd_close(entry->mount.source_fd);
        free(entry->clean);
}

void policy_free(struct policy *policy) {
        size_t i;

        assert(policy->entries || policy->n == 0);
        for (i = 0; i < policy->n; i++)
                entry_free(&policy->entries[i]);
        free(policy->entries);
        free(policy->rootfs);
        *policy = (struct policy){ .n = 0 };
}

static int copy_text(const char *from, const char **to) {
        *to = NULL;
        if (!from)
                return 0;
        *to = strdup(from);
        return *to ? 0 : -ENOMEM; /* ANALYZED(malloc-leak): the entry has it, see entry_free() */
}

static int copy_map(const struct initsync_idmap *from, size_t n, const struct initsync_idmap **to, size_t *ret_n) {
        struct initsync_idmap *map = NULL;

        *to = NULL;
        *ret_n = 0;
        if (n == 0)
                return 0;
        map = malloc(n * sizeof(*map));
        if (!map)
                return -ENOMEM;
        memcpy(map, from, n * sizeof(*map));
        *to = map;
        idmap_sort(map, n);
        *ret_n = n;
        return 0;
}

static int copy_fd(int from, int *to) {
        *to = -1;
        if (from < 0)
                return 0;
        *to = fd_dup(from);
        return *to < 0 ? *to : 0;
}

/* Every member is set before the first can fail, so that entry_free() may follow a failure. */
static int copy_mount(struct initsync_mount *to, const struct initsync_mount *from) {
        int failed = 0;

        *to = *from;
        failed |= copy_text(from->source, &to->source) < 0;
        failed |= copy_text(from->destination ? from->destination : "", &to->destination) < 0;
        failed |= copy_text(from->userns_path, &to->userns_path) < 0;
        failed |= copy_map(from->uids, from->n_uids, &to->uids, &to->n_uids) < 0;
        failed |= copy_map(from->gids, from->n_gids, &to->gids, &to->n_gids) < 0;
        if (failed) {
                to->userns_fd = to->source_fd = -1;
                return -ENOMEM;
        }
        failed = copy_fd(from->userns_fd, &to->userns_fd);
        if (failed < 0)
                to->source_fd = -1;
        return failed < 0 ? failed : copy_fd(from->source_fd, &to->source_fd);
}

static int add_entry(struct policy *policy, const struct initsync_mount *mount, struct initsync_error *reterr) {
        struct policy_entry *entry = &policy->entries[policy->n];
        int r = request_check(mount, REQUEST_LIST, reterr);

        if (r < 0)
                return r;
        if (mount->userns_fd >= 0 && userns_check(mount->userns_fd) < 0)
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_USERNS, "ioctl", NULL,
                                 "mount: userns_fd: expected a user namespace");
        *entry = (struct policy_entry){ .rest = NULL };
        policy->n++;
        r = copy_mount(&entry->mount, mount);
        if (r == 0) {
                entry->clean = path_clean(mount->source);
                r = entry->clean ? 0 : -ENOMEM;
        }
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_WIRE, NULL, mount->source, "mount: copying it");
        if (policy->rootfs)
                entry->rest = path_below(entry->clean, policy->rootfs);
        return 0;
}

int policy_init(struct policy *policy, const char *rootfs, const struct initsync_mount *mounts, size_t n,
                struct initsync_error *reterr) {
        size_t i;
        int r = 0;

        *policy = (struct policy){ .n = 0 };
        if (rootfs) {
                policy->rootfs = path_clean(rootfs);
                r = policy->rootfs ? 0 : -ENOMEM;
        }
        if (r == 0 && n) {
                policy->entries = calloc(n, sizeof(*policy->entries));
                r = policy->entries ? 0 : -ENOMEM;
        }
        if (r < 0)
                error_set(reterr, r, INITSYNC_STAGE_WIRE, NULL, NULL, "options");
        for (i = 0; r == 0 && i < n; i++) {
                r = add_entry(policy, &mounts[i], reterr);
                if (r < 0 && reterr) {
                        error_prefix(reterr, "options: entry %zu", i);
                        reterr->mount = (int)i;
                }
        }
        if (r < 0)
                policy_free(policy);
        return r;
}

/* What differs between a request and an entry with the same source, NULL for nothing. */
static const char *difference(const struct policy_entry *entry, const struct message_mount *asked) {
        const struct initsync_mount *mount = &entry->mount;
        const char *path = mount->userns_path ? mount->userns_path : "";

        if (!(asked->flags & MESSAGE_MS_REC) != !(mount->flags & INITSYNC_MOUNT_RECURSIVE))
                return "recursion of the bind";
        if (strcmp(asked->userns_path, path) != 0)
                return "the path of the user namespace";
        if (mount->userns_fd < 0 || mount->n_uids) {
                if (!idmap_equal(asked->uids, asked->n_uids, mount->uids, mount->n_uids))
                        return "the uid map";
                if (!idmap_equal(asked->gids, asked->n_gids, mount->gids, mount->n_gids))
                        return "the gid map";
        }
        if (asked->has_id_mapping && !asked->idmap_recursive != !(mount->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE))
                return "recursion of the id mapping";
        return NULL;
}

static int refuse(const struct policy_entry *like, const char *what, const struct message_mount *asked,
                  struct initsync_error *reterr) {
        if (like && !what)
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_POLICY, NULL, asked->source,
                                 "asked for again, each listed mount is served once");
        if (like)
                return error_say(reterr, -EACCES, INITSYNC_STAGE_POLICY, NULL, asked->source,
                                 "listed by the runtime, but not so: %s differs", what);
        return error_say(reterr, -EACCES, INITSYNC_STAGE_POLICY, NULL, asked->source, "not listed by the runtime");
}

int policy_take(struct policy *policy, struct message_mount *asked, struct initsync_error *reterr) {
        const struct policy_entry *like = NULL;
        const char *what = NULL;
        size_t i;

        idmap_sort(asked->uids, asked->n_uids);
        idmap_sort(asked->gids, asked->n_gids);
        for (i = 0; i < policy->n; i++) {
                size_t index = (policy->next + i) % policy->n;
                struct policy_entry *entry = &policy->entries[index];
                const char *differs;

                if (strcmp(entry->mount.source, asked->source) != 0)
                        continue;
                differs = difference(entry, asked);
                if (!differs && !entry->used) {
                        entry->used = 1;
                        policy->next = index + 1;
                        return (int)index;
                }
                if (!like || !differs) {        /* "used already" tells more than what another entry differs in */
                        like = entry;
                        what = differs;
                }
        }
        return refuse(like, what, asked, reterr);
}

int policy_place(const struct policy *policy, const char *source, struct source_request *request, char **ret_clean) {
        const char *rest;

        *ret_clean = NULL;
        request->beside = policy->rootfs;
        if (!policy->rootfs)
                return 0;
        *ret_clean = path_clean(source);
        if (!*ret_clean)
                return -ENOMEM;
        rest = path_below(*ret_clean, policy->rootfs);
        if (rest) {
                request->rootfs = policy->rootfs;
                request->path = rest;
        }
        return 0;
}
