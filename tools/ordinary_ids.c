/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "account.h"
#include "map_helper.h"
#include "ordinary_ids.h"
#include "say.h"
#include "subordinate.h"

static const char *const files[N_IDS] = { "/etc/subuid", "/etc/subgid" };
static const char *const keys[N_IDS] = { "uidMappings", "gidMappings" };

static uint32_t own(enum ids_kind kind) {
        return kind == IDS_USER ? geteuid() : getegid();
}

/* Each is a reason for newuidmap to refuse, which says of it less. */
static int find_reason(const struct account *account, struct initsync_error *reterr) {
        if (!map_helper_find("newuidmap") || !map_helper_find("newgidmap"))
                return fault(reterr, -ENOENT, "newuidmap and newgidmap are not installed");
        if (!account)
                return fault(reterr, -ENOENT, "newuidmap needs an entry of user %u in /etc/passwd", geteuid());
        if (account->gid != getegid())
                return fault(reterr, -EPERM, "newuidmap needs the group that /etc/passwd has for %s, %u, not %u",
                             account->name, account->gid, getegid());
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
                return fault(reterr, -EPERM, "newuidmap cannot work under no_new_privs");
        return 0;
}

int ids_read(struct ids *ids) {
        struct account account = { .name = "" };
        bool found = account_find(geteuid(), &account);
        enum ids_kind kind;
        int r = 0;

        *ids = (struct ids){ .why = { .code = 0 } };
        find_reason(found ? &account : NULL, &ids->why);
        for (kind = IDS_USER; r == 0 && kind < N_IDS; kind++) {
                r = subordinate_read(ids->why.code < 0 ? "/dev/null" : files[kind], account.name, geteuid(),
                                     own(kind), &ids->maps[kind]);
                if (r == 0 && ids->why.code == 0 && ids->maps[kind].n == 1 && ids->maps[kind].extents[0].count == 1)
                        fault(&ids->why, -ENOENT, "%s has no ids for %s", files[kind], account.name);
        }
        return r;
}

void ids_clear(struct ids *ids) {
        free(ids->maps[IDS_USER].extents);
        free(ids->maps[IDS_GROUP].extents);
}

static int check_map(const struct ids *ids, enum ids_kind kind, const struct bundle_map *map, const char *where,
                     struct initsync_error *reterr) {
        bool more = false;
        size_t i;

        for (i = 0; i < map->n; i++) {
                const struct initsync_idmap *extent = &map->extents[i];

                if (extent->outside == own(kind) && extent->count == 1)
                        continue;
                more = true;
                if (ids->why.code == 0 && subordinate_covers(&ids->maps[kind], extent))
                        continue;
                if (ids->why.code < 0)
                        fault(reterr, -EPERM, "only %u, the own one, can be mapped here: %s", own(kind), ids->why.text);
                else
                        fault(reterr, -EPERM, "neither the own one nor in %s for user %u", files[kind], geteuid());
                return fault_in(reterr, "config.json: %s.%s[%zu]: %u ids from %u on", where, keys[kind], i, extent->count,
                                extent->outside);
        }
        return more;
}

static int check_maps(const struct ids *ids, const struct bundle_map *uids, const struct bundle_map *gids, const char *where,
                      struct initsync_error *reterr) {
        int r = check_map(ids, IDS_USER, uids, where, reterr), other;

        if (r < 0)
                return r;
        other = check_map(ids, IDS_GROUP, gids, where, reterr);
        return other < 0 ? other : r || other;
}

int ids_check(const struct ids *ids, const struct bundle *bundle, struct initsync_error *reterr) {
        int r = check_maps(ids, &bundle->uids, &bundle->gids, "linux", reterr);
        bool more = r > 0;
        char where[32];
        size_t i;

        for (i = 0; r >= 0 && i < bundle->n_mounts; i++) {
                snprintf(where, sizeof(where), "mounts[%zu]", bundle->mounts[i].index);
                r = check_maps(ids, &bundle->mounts[i].uids, &bundle->mounts[i].gids, where, reterr);
                more = more || r > 0;
        }
        return r < 0 ? r : more;
}
