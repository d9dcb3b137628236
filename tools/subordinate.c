/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "subordinate.h"

#define RANGES_MAX 339          /* as many extents as a map may have, and the own id */

/* A number with nothing in front of it or behind it. */
static bool parse(const char *text, uint32_t *ret) {
        unsigned long long number;
        char *end;

        if (text[0] < '0' || text[0] > '9')
                return false;
        errno = 0;
        number = strtoull(text, &end, 10);
        if (errno || *end || number > UINT32_MAX)
                return false;
        *ret = (uint32_t)number;
        return true;
}

/* "user:first:count" */
static bool parse_line(char *line, const char *name, uid_t uid, struct initsync_idmap *ret) {
        char *rest = line, *user = strsep(&rest, ":"), *first = strsep(&rest, ":"), number[16];

        snprintf(number, sizeof(number), "%u", uid);
        if (!rest || (strcmp(user, name) != 0 && strcmp(user, number) != 0))
                return false;
        return parse(first, &ret->outside) && parse(rest, &ret->count) && ret->count > 0 &&
               ret->count <= UINT32_MAX - ret->outside;
}

static int compare(const void *a, const void *b) {
        const struct initsync_idmap *x = a, *y = b;

        return (x->outside > y->outside) - (x->outside < y->outside);
}

static void merge(struct bundle_map *map) {
        struct initsync_idmap *last = NULL, *extent;
        size_t i, n = 0;

        qsort(map->extents, map->n, sizeof(*map->extents), compare);
        for (i = 0; i < map->n; i++) {
                extent = &map->extents[i];
                if (last && extent->outside <= last->outside + last->count) {
                        if (extent->outside + extent->count > last->outside + last->count)
                                last->count = extent->outside + extent->count - last->outside;
                        continue;
                }
                last = &map->extents[n++];
                *last = *extent;
                last->inside = last->outside;
        }
        map->n = n;
}

/*
 * Beside a range it is an extent of its own: newuidmap takes what lies in the ranges of the file, or the own id alone, and no
 * mixture.
 */
static void add_own(struct bundle_map *map, uint32_t own) {
        const struct initsync_idmap alone = { .inside = own, .outside = own, .count = 1 };

        if (!subordinate_covers(map, &alone))
                map->extents[map->n++] = alone;
}

int subordinate_read(const char *path, const char *name, uid_t uid, uint32_t own, struct bundle_map *ret) {
        struct bundle_map map = { .extents = calloc(RANGES_MAX + 1, sizeof(*map.extents)) };
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t n;
        FILE *file;

        if (!map.extents)
                return -ENOMEM;
        file = fopen(path, "re");
        while (file && map.n < RANGES_MAX && (n = getline(&line, &size, file)) > 0) {
                if (line[n - 1] == '\n')
                        line[n - 1] = '\0';
                map.n += parse_line(line, name, uid, &map.extents[map.n]);
        }
        if (file)
                fclose(file);
        merge(&map);
        add_own(&map, own);
        *ret = map;
        return 0;
}

bool subordinate_covers(const struct bundle_map *ranges, const struct initsync_idmap *extent) {
        size_t i;

        for (i = 0; i < ranges->n; i++)
                if (extent->outside >= ranges->extents[i].outside &&
                    extent->outside - ranges->extents[i].outside <= ranges->extents[i].count &&
                    extent->count <= ranges->extents[i].count - (extent->outside - ranges->extents[i].outside))
                        return true;
        return false;
}
