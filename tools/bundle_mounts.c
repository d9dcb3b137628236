/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "bundle.h"
#include "cleanup.h"
#include "mount_remount.h"
#include "say.h"

#define PATH_LIMIT 4095         /* initsync.h, struct initsync_mount */

static int set_map(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry, bool idmap,
                   struct initsync_error *reterr) {
        const struct bundle_map *uids = &mount->uids, *gids = &mount->gids;
        int r;

        r = bundle_maps(entry, &mount->uids, &mount->gids, reterr);
        if (r < 0)
                return r;
        /* Mappings without the option are as good as with it; the option is there for runtimes that do not know them. */
        if (uids->n == 0 && !idmap)
                return 0;
        if (uids->n == 0) {
                uids = &bundle->uids;
                gids = &bundle->gids;
                mount->maps_container = true;
                /* That of a namespace which exists is not for a configuration to know. */
                mount->want.userns_path = uids->n == 0 ? bundle_namespace_path(bundle, CLONE_NEWUSER) : NULL;
        }
        if (uids->n == 0 && !mount->want.userns_path)
                return node_refuse(entry, reterr, -EINVAL, "idmap without uidMappings and gidMappings, here or in linux");
        mount->want.uids = uids->extents;
        mount->want.n_uids = uids->n;
        mount->want.gids = gids->extents;
        mount->want.n_gids = gids->n;
        return 0;
}

/* Where the source and the root file system lie to each other. */
static int set_relation(struct bundle_mount *mount, const struct bundle *bundle) {
        _cleanup_free_ char *below = NULL;
        int r;

        r = bundle_below(mount->want.source, bundle->root, &mount->in_root);
        if (r >= 0)
                r = bundle_below(bundle->root, mount->want.source, &below);
        mount->above_root = r > 0;
        return r;
}

static int set_destination(struct bundle_mount *mount, const struct node *entry, struct initsync_error *reterr) {
        struct node destination;
        int r;

        r = node_required(entry, "destination", json_type_string, &destination, reterr);
        if (r < 0)
                return r;
        mount->want.destination = node_string(&destination);
        if (!mount->want.destination[0] || strlen(mount->want.destination) > PATH_LIMIT)
                return node_refuse(&destination, reterr, -EINVAL, "expected a path of 1 to %d bytes", PATH_LIMIT);
        return 0;
}

static int set_source(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry,
                      struct initsync_error *reterr) {
        struct node source;
        int r;

        r = node_required(entry, "source", json_type_string, &source, reterr);
        if (r < 0)
                return r;
        if (!node_string(&source)[0])
                return node_refuse(&source, reterr, -EINVAL, "expected a path");
        mount->want.source = bundle_absolute(bundle, node_string(&source));
        if (!mount->want.source)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        if (strlen(mount->want.source) > PATH_LIMIT)
                return node_refuse(&source, reterr, -ENAMETOOLONG, "a path longer than %d bytes", PATH_LIMIT);
        if (set_relation(mount, bundle) < 0)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        return 0;
}

static int read_bind(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry,
                     enum bundle_half half, bool idmap, struct initsync_error *reterr) {
        struct node array, element;
        size_t i;
        int r;

        /* To the parent, an option that it does not know is a matter of what the child does with the source. */
        if (mount->n_data > 0 && half == BUNDLE_CHILD) {
                r = node_member(entry, "options", json_type_array, &array, reterr);
                for (i = 0; r > 0 && i < node_length(&array); i++) {
                        r = node_element(&array, i, json_type_string, &element, reterr);
                        if (r == 0 && node_string(&element) == mount->data[0])
                                return node_refuse(&element, reterr, -EINVAL, "%s: no option of a bind mount",
                                                   mount->data[0]);
                        r = 1;
                }
        }
        if (mount->copy_up)
                return node_refuse(entry, reterr, -EINVAL, "tmpcopyup, which is an option of tmpfs alone");
        r = set_destination(mount, entry, reterr);
        if (r == 0)
                r = set_source(mount, bundle, entry, reterr);
        if (r == 0)
                r = set_map(mount, bundle, entry, idmap, reterr);
        return r < 0 ? r : 1;
}

static int read_file_system(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry,
                            const struct node *type, bool idmap, struct initsync_error *reterr) {
        struct node source;
        int r;

        if (!type->value || strcmp(node_string(type), "none") == 0 || !node_string(type)[0])
                return node_refuse(type, reterr, -EINVAL,
                                   "neither the type of a file system nor \"bind\", here or in options");
        mount->type = node_string(type);
        mount->kind = strcmp(mount->type, "cgroup") == 0 ? MOUNT_CGROUP : MOUNT_FILE_SYSTEM;
        if (mount->copy_up && strcmp(mount->type, "tmpfs") != 0)
                return node_refuse(entry, reterr, -EINVAL, "tmpcopyup, which is an option of tmpfs alone");
        r = set_map(mount, bundle, entry, idmap, reterr);
        if (r < 0)
                return r;
        if (mount->kind == MOUNT_CGROUP && (mount->want.n_uids > 0 || mount->want.userns_path))
                return node_refuse(entry, reterr, -EINVAL, "idmap: control groups take no id mapping");
        r = set_destination(mount, entry, reterr);
        if (r < 0)
                return r;
        r = node_member(entry, "source", json_type_string, &source, reterr);
        if (r < 0)
                return r;
        /* A name for mountinfo, as a rule; the file system's own affair. ANALYZED(malloc-leak): the bundle has it */
        mount->want.source = strdup(r > 0 && node_string(&source)[0] ? node_string(&source) : mount->type);
        return mount->want.source ? 1 : fault_call(reterr, -ENOMEM, "strdup", NULL);
}

/* What it is about is an earlier entry, which is what says whether the options are of any use. */
static int read_remount(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry, bool bind,
                        bool idmap, struct initsync_error *reterr) {
        const struct bundle_mount *earlier;
        int r;

        r = bundle_maps(entry, &mount->uids, &mount->gids, reterr);
        if (r == 0)
                r = set_destination(mount, entry, reterr);
        if (r < 0)
                return r;
        if (idmap || mount->uids.n > 0 || mount->copy_up)
                return node_refuse(entry, reterr, -EINVAL, "remount with idmap or tmpcopyup, which are of a new mount");
        mount->kind = MOUNT_REMOUNT;
        /* This entry is the last one that is counted. */
        r = mount_remount_find(bundle->mounts, bundle->n_mounts - 1, mount);
        if (r == -ENOENT)
                return node_refuse(entry, reterr, -EINVAL, "remount: no mount before it has the destination %s",
                                   mount->want.destination);
        if (r < 0)
                return fault_call(reterr, r, "malloc", NULL);
        mount->remounted = (size_t)r;
        earlier = &bundle->mounts[r];
        bundle->mounts[r].kept = true;
        mount->type = earlier->type;
        if (mount->n_data > 0 && (bind || earlier->kind != MOUNT_FILE_SYSTEM))
                return node_refuse(entry, reterr, -EINVAL, "%s: no option of a bind mount", mount->data[0]);
        return 1;
}

/* A namespace by its path is none of the parent's either: there the child tries, which may own it. */
static const char *from_parent(const struct bundle *bundle, const char *type) {
        if (!(bundle->namespaces & CLONE_NEWUSER))
                return NULL;
        if (strcmp(type, "sysfs") == 0)
                return bundle->namespaces & CLONE_NEWNET ? NULL : "/sys";
        return strcmp(type, "proc") != 0 || (bundle->namespaces & CLONE_NEWPID) ? NULL : "/proc";
}

const char *bundle_from_parent(const struct bundle *bundle, const struct bundle_mount *mount) {
        return mount->kind == MOUNT_FILE_SYSTEM ? from_parent(bundle, mount->type) : NULL;
}

/* Returns 1 for a mount of @half's, 0 for one to leave out. */
static int read_mount(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry,
                      enum bundle_half half, struct initsync_error *reterr) {
        bool bind, idmap = false;
        struct node type;
        int r;

        *mount = (struct bundle_mount){ .index = entry->index, .want = INITSYNC_MOUNT_INIT };
        r = node_member(entry, "type", json_type_string, &type, reterr);
        if (r < 0)
                return r;
        bind = r > 0 && strcmp(node_string(&type), "bind") == 0;
        r = mount_options(mount, entry, &bind, &idmap, reterr);
        if (r < 0)
                return r;
        if (mount->remount)
                return half == BUNDLE_PARENT ? 0 : read_remount(mount, bundle, entry, bind, idmap, reterr);
        if (bind)
                return read_bind(mount, bundle, entry, half, idmap, reterr);
        if (half == BUNDLE_PARENT && !from_parent(bundle, type.value ? node_string(&type) : ""))
                return 0;
        return read_file_system(mount, bundle, entry, &type, idmap, reterr);
}

int bundle_mounts(struct bundle *bundle, const struct node *config, enum bundle_half half, struct initsync_error *reterr) {
        struct node array, entry;
        size_t i, n;
        int r;

        r = node_member(config, "mounts", json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        n = node_length(&array);
        if (n > BUNDLE_MOUNTS_MAX)
                return node_refuse(&array, reterr, -E2BIG, "more than %d", BUNDLE_MOUNTS_MAX);
        bundle->mounts = calloc(n ? n : 1, sizeof(*bundle->mounts));
        if (!bundle->mounts)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++) {
                r = node_element(&array, i, json_type_object, &entry, reterr);
                if (r < 0)
                        return r;
                /* Counted before, so that bundle_free() finds a half-read one. */
                r = read_mount(&bundle->mounts[bundle->n_mounts++], bundle, &entry, half, reterr);
                if (r < 0)
                        return r;
                if (r == 0)
                        free(bundle->mounts[--bundle->n_mounts].data);
        }
        return 0;
}
