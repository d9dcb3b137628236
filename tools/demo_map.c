/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include "demo_kernel.h"
#include "demo_scene.h"

/*
 * The id maps of the scene. On the left the id of a file on disk, in the middle what the mount makes of it, on the right
 * what the container's own user namespace (0-65535 are 100000-165535) then shows:
 *
 *      plain           0 and 1000 stay what they are                   65534, twice
 *      mapped          uid 0 -> 105000, gid 0 -> 106000                5000:6000
 *                      1000 -> 100000                                  0:0
 *      tree            0-1999 -> 107000-108999                         7000:7000 and 8000:8000
 *      inner           0 -> 100000, 1000-1999 -> 101000-101999         0:0 and 1000:1000
 *
 * Without a user namespace of its own (base 0) the container sees the middle column less 100000. No extent spans 0 and 1:
 * with the ids of newuidmap(1) these are two extents of the user's own map, and the kernel wants each within one of them.
 * A user with one id only can map 0 to 0: nothing changes then but the mount itself.
 */

/* @more: a second extent for both, or one of no ids */
static void set_map(struct scene *scene, enum scene_mount i, struct initsync_idmap uids, struct initsync_idmap gids,
                    struct initsync_idmap more) {
        struct initsync_mount *mount = &scene->mounts[i];

        scene->uids[i][0] = uids;
        scene->gids[i][0] = gids;
        scene->uids[i][1] = scene->gids[i][1] = more;
        mount->uids = scene->uids[i];
        mount->gids = scene->gids[i];
        mount->n_uids = mount->n_gids = more.count > 0 ? 2 : 1;
}

static void map_ids(struct scene *scene) {
        const uint32_t base = scene->base;
        const struct initsync_idmap one = { 0, 0, 1 }, none = { 0, 0, 0 };
        const struct initsync_idmap mapped_uids = { 0, base + 5000, 1000 }, mapped_gids = { 0, base + 6000, 1000 };
        const struct initsync_idmap mapped_more = { 1000, base, 1 };
        const struct initsync_idmap tree = { 0, base + 7000, 2000 };
        const struct initsync_idmap inner = { 0, base, 1 }, inner_more = { 1000, base + 1000, 1000 };

        if (!scene->ranges) {
                set_map(scene, SCENE_MAPPED, one, one, none);
                set_map(scene, SCENE_TREE, one, one, none);
                set_map(scene, SCENE_INNER, one, one, none);
                return;
        }
        set_map(scene, SCENE_MAPPED, mapped_uids, mapped_gids, mapped_more);
        set_map(scene, SCENE_TREE, tree, tree, none);
        set_map(scene, SCENE_INNER, inner, inner, inner_more);
}

void scene_map(struct scene *scene) {
        for (size_t i = SCENE_N_PLACES; i-- > 0;) {     /* downwards, so that a tree is told by its first place */
                const struct scene_place *place = &scene_places[i];
                struct initsync_mount *mount = &scene->mounts[place->mount];

                *mount = (struct initsync_mount)INITSYNC_MOUNT_INIT;
                scene_path(scene, scene->sources[place->mount], "%s",
                           place->mount == SCENE_INNER ? "rootfs/srv/plain/inner" : place->outside);
                mount->source = scene->sources[place->mount];
                mount->destination = place->inside;
        }
        scene->mounts[SCENE_TREE].flags = INITSYNC_MOUNT_RECURSIVE;
        scene->mounts[SCENE_INNER].flags = INITSYNC_MOUNT_CHILD_VIEW;   /* it lies in what the child has mounted itself */
        if (scene->setattr) {
                scene->mounts[SCENE_PLAIN].propagation = MS_SHARED;
                scene->mounts[SCENE_TREE].flags |= INITSYNC_MOUNT_ATTR_RECURSIVE;
                scene->mounts[SCENE_TREE].attr_set = MOUNT_ATTR_RDONLY;
        }
        if (scene->idmap) {
                map_ids(scene);
                scene->mounts[SCENE_TREE].flags |= INITSYNC_MOUNT_IDMAP_RECURSIVE;
        }
}

static bool map_id(const struct initsync_idmap *map, size_t n, uint32_t id, uint32_t *ret) {
        for (size_t i = 0; i < n; i++)
                if (id >= map[i].inside && id - map[i].inside < map[i].count) {
                        *ret = map[i].outside + (id - map[i].inside);
                        return true;
                }
        return false;
}

static uint32_t expected_id(const struct scene *scene, const struct initsync_idmap *map, size_t n, uint32_t id,
                            uint32_t overflow) {
        if (n > 0 && !map_id(map, n, id, &id))
                return overflow;
        if (!scene->userns)
                return id;
        return id >= scene->base && id - scene->base < SCENE_IDS ? id - scene->base : overflow;
}

struct owner scene_expected(const struct scene *scene, enum scene_mount i, const struct owner *on_disk) {
        const struct initsync_mount *mount = &scene->mounts[i];

        return (struct owner){
                .uid = expected_id(scene, mount->uids, mount->n_uids, on_disk->uid, scene->overflow.uid),
                .gid = expected_id(scene, mount->gids, mount->n_gids, on_disk->gid, scene->overflow.gid),
        };
}

struct owner scene_on_disk(const struct scene *scene, enum scene_mount i) {
        for (size_t k = 0; k < scene->n_files; k++) {
                struct owner shown = scene_expected(scene, i, &scene_files[k].owner);

                if (shown.uid == 0 && shown.gid == 0)
                        return scene_files[k].owner;
        }
        return (struct owner){ .error = -ENOENT };
}

const char *scene_map_text(const struct scene *scene, enum scene_mount i, bool gids, char text[static 128]) {
        const struct initsync_mount *mount = &scene->mounts[i];
        const struct initsync_idmap *map = gids ? mount->gids : mount->uids;
        size_t used = 0;

        for (size_t k = 0; k < mount->n_uids && used < 128; k++)
                used += (size_t)snprintf(text + used, 128 - used, "%s%u %u %u", k ? ", " : "", map[k].inside,
                                         map[k].outside - scene->base, map[k].count);
        return text;
}
