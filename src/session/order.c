/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/idmap.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "mount/request.h"
#include "mount/userns.h"
#include "session/parent.h"
#include "wire/encode.h"

#define CACHE_MAX 64            /* user namespaces that one session keeps of its own */

static void failed(struct initsync_parent *parent, int r, const char *call, const char *path, const char *what) {
        struct initsync_error error;

        error_set(&error, r, INITSYNC_STAGE_MOUNT, call, path, "%s: %s", what, call);
        parent_fail(parent, &error, BLAME_NOBODY);
}

/* The task is started by the first request, so that a conversation without one costs nothing. */
static int start_task(struct initsync_parent *parent) {
        struct bytes answer = encode_plain(MESSAGE_MOUNT_FD);
        int r;

        if (parent->broker.server)
                return 0;
        r = broker_start(&parent->broker, parent->socket, parent->pidfd, answer.data, answer.n);
        if (r < 0) {
                failed(parent, r, parent->broker.failed, NULL, "starting the mount task");
                return r;
        }
        r = sys_epoll_ctl(parent->epoll, EPOLL_CTL_ADD, parent->broker.control, EPOLLIN);
        if (r < 0) {
                failed(parent, r, "epoll_ctl", NULL, "watching the mount task");
                return r;
        }
        if (parent->trace.callback)
                broker_wake(&parent->broker, 1);
        return 0;
}

static int own_cache(struct initsync_parent *parent) {
        return parent->cache ? 0 : initsync_userns_cache_new(&parent->cache, CACHE_MAX);
}

/* Most containers use one map for all their mounts: the namespace of the last one is at hand without a system call. */
static int is_last_map(const struct initsync_parent *parent, const struct initsync_mount *mount) {
        return parent->userns_fd >= 0 &&
               idmap_equal(parent->last_maps, parent->n_last_uids, mount->uids, mount->n_uids) &&
               idmap_equal(parent->last_maps + parent->n_last_uids, parent->n_last_gids, mount->gids, mount->n_gids);
}

static void remember_map(struct initsync_parent *parent, int fd, const struct initsync_mount *mount) {
        struct initsync_idmap *maps = malloc((mount->n_uids + mount->n_gids) * sizeof(*maps));

        fd_close(parent->userns_fd);
        parent->userns_fd = fd;
        parent->userns_mark++;
        free(parent->last_maps);
        parent->last_maps = maps;
        parent->n_last_uids = maps ? mount->n_uids : 0;         /* no memory: remembered as a map that no mount has */
        parent->n_last_gids = maps ? mount->n_gids : 0;
        if (maps) {
                memcpy(maps, mount->uids, mount->n_uids * sizeof(*maps));
                memcpy(maps + mount->n_uids, mount->gids, mount->n_gids * sizeof(*maps));
        }
}

/* The user namespace of a mount: a descriptor that stays the session's, and its mark; -1 for none. 0 or a negative errno. */
static int userns_of(struct initsync_parent *parent, const struct initsync_mount *mount, struct source_request *request) {
        struct initsync_error error;
        int fd, r;

        request->userns_fd = mount->userns_fd;
        request->userns_mark = 0;
        if (mount->userns_fd >= 0 || !mount->n_uids)
                return 0;
        if (!is_last_map(parent, mount)) {
                r = own_cache(parent);
                if (r < 0) {
                        failed(parent, r, "malloc", NULL, "user namespace cache");
                        return r;
                }
                r = initsync_userns_cache_get(parent->cache, mount->uids, mount->n_uids, mount->gids, mount->n_gids, &fd, &error);
                if (r < 0) {
                        parent_fail(parent, &error, BLAME_NOBODY);
                        return r;
                }
                remember_map(parent, fd, mount);
        }
        request->userns_fd = parent->userns_fd;
        request->userns_mark = parent->userns_mark;
        return 0;
}

static void post(struct initsync_parent *parent, struct source_request *request, const struct initsync_mount *mount,
                 const char *name) {
        unsigned pending;
        int r;

        if (start_task(parent) < 0 || userns_of(parent, mount, request) < 0)
                return;
        request->source_fd = mount->source_fd;
        pending = broker_pending(&parent->broker);
        r = broker_post(&parent->broker, request, name, strlen(name));
        if (r == -EPIPE || r == -ECONNRESET)
                parent_mount_task(parent);      /* it failed at an earlier request, and that is the news */
        if (r < 0 && !parent->peer_gone)
                failed(parent, r, "sendmsg", name, "handing a request to the mount task");
        else if (!pending)
                deadline_set(&parent->deadlines, DEADLINE_REQUEST, parent->options.timeout_ms, clock_now());
}

void parent_order_entry(struct initsync_parent *parent, const struct policy_entry *entry) {
        struct source_request request;

        parent->grants[parent->broker.posted % SERVER_SLOTS].index = (int)(entry - parent->policy.entries);
        request_fill(&request, &entry->mount);
        request.beside = parent->policy.rootfs;
        if (entry->rest) {
                request.rootfs = parent->policy.rootfs;
                request.path = entry->rest;
        }
        post(parent, &request, &entry->mount, entry->mount.source);
}

static void free_grant(struct grant *grant) {
        free(grant->source);
        free(grant->clean);
        *grant = (struct grant){ .index = -1 };
}

void parent_free_grants(struct initsync_parent *parent) {
        size_t i;

        for (i = 0; i < SERVER_SLOTS; i++)
                free_grant(&parent->grants[i]);
}

/* What a callback wrote is checked as a list entry is; its maps are made canonical in copies. */
static int canonical(struct initsync_mount *mount, struct initsync_idmap *uids, struct initsync_idmap *gids,
                     struct initsync_error *reterr) {
        int r = request_check(mount, REQUEST_LIST, reterr);

        if (r < 0)
                return r;
        if (mount->userns_fd >= 0 && userns_check(mount->userns_fd) < 0)
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_USERNS, "ioctl", NULL,
                                 "mount: userns_fd: expected a user namespace");
        if (!mount->n_uids)
                return 0;
        memcpy(uids, mount->uids, mount->n_uids * sizeof(*uids));
        memcpy(gids, mount->gids, mount->n_gids * sizeof(*gids));
        idmap_sort(uids, mount->n_uids);
        idmap_sort(gids, mount->n_gids);
        mount->uids = uids;
        mount->gids = gids;
        return 0;
}

void parent_order_other(struct initsync_parent *parent, const struct initsync_mount *allowed, const char *name) {
        struct initsync_idmap uids[INITSYNC_IDMAP_MAX], gids[INITSYNC_IDMAP_MAX];
        struct grant *grant = &parent->grants[parent->broker.posted % SERVER_SLOTS];
        struct initsync_mount mount = *allowed;
        struct source_request request;
        struct initsync_error error;
        size_t n_name = strlen(name) + 1, n_source;
        int r = canonical(&mount, uids, gids, &error);

        if (r < 0) {
                parent_fail(parent, &error, BLAME_NOBODY);
                return;
        }
        free_grant(grant);
        /* One string: the name as the child wrote it, then the path that is opened. */
        n_source = strlen(mount.source) + 1;
        grant->source = malloc(n_name + n_source);      /* ANALYZED(malloc-leak): free_grant() */
        if (grant->source) {
                memcpy(grant->source, name, n_name);
                memcpy(grant->source + n_name, mount.source, n_source);
                request_fill(&request, &mount);
                request.path = grant->source + n_name;
                request.any_view |= (parent->options.flags & INITSYNC_PARENT_ALLOW_ANY_MOUNT) != 0;
                r = policy_place(&parent->policy, mount.source, &request, &grant->clean);
        }
        if (!grant->source || r < 0) {
                failed(parent, -ENOMEM, "malloc", name, "mount request");
                return;
        }
        post(parent, &request, &mount, grant->source);
}
