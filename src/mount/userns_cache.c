/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/idmap.h"
#include "kernel/fd.h"

#define CACHE_MAX 1024          /* a namespace kept is a descriptor kept */

/* An entry's maps are canonical, so that maps which mean the same are equal bytes. */
struct entry {
        struct entry *next;
        int fd;
        size_t n_uids, n_gids;
        struct initsync_idmap extents[];        /* uids, then gids */
};

struct initsync_userns_cache {
        pthread_mutex_t lock;
        struct entry *first;    /* the one used last comes first */
        size_t n, max;
};

PUBLIC int initsync_userns_cache_new(struct initsync_userns_cache **ret_cache, size_t max) {
        struct initsync_userns_cache *cache;

        if (max == 0 || max > CACHE_MAX)
                return -EINVAL;
        cache = calloc(1, sizeof(*cache));
        if (!cache)
                return -ENOMEM;
        pthread_mutex_init(&cache->lock, NULL);
        cache->max = max;
        *ret_cache = cache;
        return 0;
}

static void entry_free(struct entry *entry) {
        fd_close(entry->fd);
        free(entry);
}

PUBLIC struct initsync_userns_cache *initsync_userns_cache_free(struct initsync_userns_cache *cache) {
        int kept = errno;

        if (!cache)
                return NULL;
        while (cache->first) {
                struct entry *entry = cache->first;

                cache->first = entry->next;
                entry_free(entry);
        }
        pthread_mutex_destroy(&cache->lock);
        free(cache);
        errno = kept;
        return NULL;
}

static int same(const struct entry *entry, const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids,
                size_t n_gids) {
        return idmap_equal(entry->extents, entry->n_uids, uids, n_uids) &&
               idmap_equal(entry->extents + entry->n_uids, entry->n_gids, gids, n_gids);
}

/* With the lock held: a duplicate of the namespace of these maps, or -ENOENT. */
static int find(struct initsync_userns_cache *cache, const struct initsync_idmap *uids, size_t n_uids,
                const struct initsync_idmap *gids, size_t n_gids) {
        struct entry **at;

        for (at = &cache->first; *at; at = &(*at)->next) {
                struct entry *entry = *at;

                if (!same(entry, uids, n_uids, gids, n_gids))
                        continue;
                *at = entry->next;
                entry->next = cache->first;
                cache->first = entry;
                return fd_dup(entry->fd);
        }
        return -ENOENT;
}

static int find_locked(struct initsync_userns_cache *cache, const struct initsync_idmap *uids, size_t n_uids,
                       const struct initsync_idmap *gids, size_t n_gids) {
        int r;

        pthread_mutex_lock(&cache->lock);
        r = find(cache, uids, n_uids, gids, n_gids);
        pthread_mutex_unlock(&cache->lock);
        return r;
}

/* With the lock held: forget the one that was not used for longest. */
static void drop_last(struct initsync_userns_cache *cache) {
        struct entry **at = &cache->first;

        assert(*at);
        while ((*at)->next)
                at = &(*at)->next;
        entry_free(*at);
        *at = NULL;
        cache->n--;
}

static struct entry *entry_new(int fd, const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids,
                               size_t n_gids) {
        struct entry *entry = malloc(sizeof(*entry) + (n_uids + n_gids) * sizeof(entry->extents[0]));

        if (!entry)
                return NULL;
        *entry = (struct entry){ .fd = fd, .n_uids = n_uids, .n_gids = n_gids };
        memcpy(entry->extents, uids, n_uids * sizeof(*uids));
        memcpy(entry->extents + n_uids, gids, n_gids * sizeof(*gids));
        return entry;
}

/* Keep @fd (consumed), unless another thread made the same meanwhile; returns a duplicate of what is kept. */
static int keep(struct initsync_userns_cache *cache, int fd, const struct initsync_idmap *uids, size_t n_uids,
                const struct initsync_idmap *gids, size_t n_gids) {
        struct entry *entry = entry_new(fd, uids, n_uids, gids, n_gids);
        int r;

        if (!entry) {
                fd_close(fd);
                return -ENOMEM;
        }
        pthread_mutex_lock(&cache->lock);
        r = find(cache, uids, n_uids, gids, n_gids);
        if (r == -ENOENT) {
                r = fd_dup(fd);
                if (cache->n == cache->max)
                        drop_last(cache);
                entry->next = cache->first;
                cache->first = entry;
                cache->n++;
                entry = NULL;
        }
        pthread_mutex_unlock(&cache->lock);
        if (entry)
                entry_free(entry);
        return r;
}

PUBLIC int initsync_userns_cache_get(struct initsync_userns_cache *cache, const struct initsync_idmap *uids, size_t n_uids,
                                     const struct initsync_idmap *gids, size_t n_gids, int *ret_fd,
                                     struct initsync_error *reterr) {
        struct initsync_idmap u[INITSYNC_IDMAP_MAX], g[INITSYNC_IDMAP_MAX];
        int fd, r;

        /* As they are: what equals a map that is kept has been checked, and is canonical. */
        r = find_locked(cache, uids, n_uids, gids, n_gids);
        if (r >= 0) {
                *ret_fd = r;
                return 0;
        }
        r = idmap_check(uids, n_uids, "uid map", reterr);
        if (r >= 0)
                r = idmap_check(gids, n_gids, "gid map", reterr);
        if (r < 0)
                return r;
        memcpy(u, uids, n_uids * sizeof(*u));
        memcpy(g, gids, n_gids * sizeof(*g));
        idmap_sort(u, n_uids);
        idmap_sort(g, n_gids);
        r = find_locked(cache, u, n_uids, g, n_gids);
        if (r == -ENOENT) {
                /* Without the lock: other maps need not wait for this one. */
                r = initsync_userns_open(u, n_uids, g, n_gids, &fd, reterr);
                if (r < 0)
                        return r;
                r = keep(cache, fd, u, n_uids, g, n_gids);
        }
        if (r < 0)
                return error_set(reterr, r, INITSYNC_STAGE_USERNS, r == -ENOMEM ? "malloc" : "fcntl", NULL, "user namespace cache");
        *ret_fd = r;
        return 0;
}
