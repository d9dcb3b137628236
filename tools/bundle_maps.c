/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "bundle.h"
#include "cleanup.h"
#include "say.h"

/* The library's own check, since nothing may be mounted before all is known to be right. */
static int check_map(const struct node *node, const struct bundle_map *map, struct initsync_error *reterr) {
        struct initsync_idmap parsed[INITSYNC_IDMAP_MAX];
        _cleanup_free_ char *text = malloc(map->n * sizeof("4294967295:4294967295:4294967295"));
        size_t i, used = 0, n;
        int r;

        if (!text)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        for (i = 0; i < map->n; i++)
                used += (size_t)sprintf(text + used, "%s%u:%u:%u", i ? "," : "", map->extents[i].inside,
                                        map->extents[i].outside, map->extents[i].count);
        r = initsync_idmap_parse(text, parsed, INITSYNC_IDMAP_MAX, &n, reterr);
        return r < 0 ? node_refuse(node, reterr, r, "%s", reterr->text) : 0;
}

static int read_map(const struct node *object, const char *key, struct bundle_map *map, struct initsync_error *reterr) {
        struct node array, extent;
        size_t i, n;
        int r;

        r = node_member(object, key, json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        n = node_length(&array);
        if (n == 0)
                return 0;
        if (n > INITSYNC_IDMAP_MAX)
                return node_refuse(&array, reterr, -E2BIG, "more than %d extents", INITSYNC_IDMAP_MAX);
        map->extents = calloc(n, sizeof(*map->extents));
        if (!map->extents)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++) {
                r = node_element(&array, i, json_type_object, &extent, reterr);
                if (r == 0)
                        r = node_u32(&extent, "containerID", &map->extents[i].inside, reterr);
                if (r == 0)
                        r = node_u32(&extent, "hostID", &map->extents[i].outside, reterr);
                if (r == 0)
                        r = node_u32(&extent, "size", &map->extents[i].count, reterr);
                if (r < 0)
                        return r;
        }
        map->n = n;
        return check_map(&array, map, reterr);
}

int bundle_maps(const struct node *object, struct bundle_map *uids, struct bundle_map *gids, struct initsync_error *reterr) {
        int r;

        r = read_map(object, "uidMappings", uids, reterr);
        if (r == 0)
                r = read_map(object, "gidMappings", gids, reterr);
        if (r == 0 && (uids->n == 0) != (gids->n == 0))
                r = node_refuse(object, reterr, -EINVAL, "uidMappings and gidMappings: one without the other");
        return r;
}
