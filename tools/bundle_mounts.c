/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bundle.h"
#include "cleanup.h"
#include "kernel.h"
#include "say.h"

#define PATH_LIMIT 4095         /* initsync.h, struct initsync_mount */

enum kind {
        BIND,
        IDMAP,
        SET,            /* an attribute */
        CLEAR,
        PROPAGATION
};

static const struct mount_option {
        const char *name;
        enum kind kind;
        uint64_t value;
        bool recursive;
} options[] = {
        { "bind",        BIND,          0,                                      false },
        { "rbind",       BIND,          INITSYNC_MOUNT_RECURSIVE,               true },
        { "idmap",       IDMAP,         0,                                      false },
        { "ridmap",      IDMAP,         INITSYNC_MOUNT_IDMAP_RECURSIVE,         true },
        { "ro",          SET,           MOUNT_ATTR_RDONLY,                      false },
        { "rw",          CLEAR,         MOUNT_ATTR_RDONLY,                      false },
        { "nosuid",      SET,           MOUNT_ATTR_NOSUID,                      false },
        { "suid",        CLEAR,         MOUNT_ATTR_NOSUID,                      false },
        { "nodev",       SET,           MOUNT_ATTR_NODEV,                       false },
        { "dev",         CLEAR,         MOUNT_ATTR_NODEV,                       false },
        { "noexec",      SET,           MOUNT_ATTR_NOEXEC,                      false },
        { "exec",        CLEAR,         MOUNT_ATTR_NOEXEC,                      false },
        { "private",     PROPAGATION,   MS_PRIVATE,                             false },
        { "rprivate",    PROPAGATION,   MS_PRIVATE,                             true },
        { "slave",       PROPAGATION,   MS_SLAVE,                               false },
        { "rslave",      PROPAGATION,   MS_SLAVE,                               true },
        { "shared",      PROPAGATION,   MS_SHARED,                              false },
        { "rshared",     PROPAGATION,   MS_SHARED,                              true },
        { "unbindable",  PROPAGATION,   MS_UNBINDABLE,                          false },
        { "runbindable", PROPAGATION,   MS_UNBINDABLE,                          true },
};

static const struct mount_option *find_option(const char *name) {
        size_t i;

        for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                if (strcmp(options[i].name, name) == 0)
                        return &options[i];
        return NULL;
}

/* Of two options that contradict each other the last one counts, as with mount(8). */
static void apply_option(struct bundle_mount *mount, const struct mount_option *option, bool *bind, bool *idmap) {
        switch (option->kind) {
        case BIND:
                *bind = true;
                mount->want.flags |= option->value;
                break;
        case IDMAP:
                *idmap = true;
                mount->want.flags |= option->value;
                break;
        case SET:
                mount->want.attr_set |= option->value;
                mount->want.attr_clr &= ~option->value;
                break;
        case CLEAR:
                mount->want.attr_clr |= option->value;
                mount->want.attr_set &= ~option->value;
                break;
        case PROPAGATION:
                mount->propagation = option->value;
                mount->propagation_recursive = option->recursive;
                break;
        }
}

/* *@ret_unknown: the first option that is none of ours, or with a NULL value. */
static int read_options(struct bundle_mount *mount, const struct node *entry, bool *bind, bool *idmap,
                        struct node *ret_array, struct node *ret_unknown, struct initsync_error *reterr) {
        const struct mount_option *option;
        struct node element;
        size_t i;
        int r;

        ret_unknown->value = NULL;
        r = node_member(entry, "options", json_type_array, ret_array, reterr);
        if (r <= 0)
                return r;
        for (i = 0; i < node_length(ret_array); i++) {
                r = node_element(ret_array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                option = find_option(node_string(&element));
                if (option)
                        apply_option(mount, option, bind, idmap);
                else if (!ret_unknown->value)
                        *ret_unknown = element;
        }
        return 0;
}

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
        }
        if (uids->n == 0)
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

static int set_paths(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry,
                     struct initsync_error *reterr) {
        struct node source, destination;
        int r;

        r = node_required(entry, "destination", json_type_string, &destination, reterr);
        if (r == 0)
                r = node_required(entry, "source", json_type_string, &source, reterr);
        if (r < 0)
                return r;
        mount->want.destination = node_string(&destination);
        if (!mount->want.destination[0] || strlen(mount->want.destination) > PATH_LIMIT)
                return node_refuse(&destination, reterr, -EINVAL, "expected a path of 1 to %d bytes", PATH_LIMIT);
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

/* Returns 1 for a bind, 0 for a mount of another type, which is left out. */
static int read_mount(struct bundle_mount *mount, const struct bundle *bundle, const struct node *entry,
                      enum bundle_half half, struct initsync_error *reterr) {
        struct node type, array, unknown;
        bool bind, idmap = false;
        int r;

        *mount = (struct bundle_mount){ .index = entry->index, .want = INITSYNC_MOUNT_INIT };
        r = node_member(entry, "type", json_type_string, &type, reterr);
        if (r < 0)
                return r;
        bind = r > 0 && strcmp(node_string(&type), "bind") == 0;
        r = read_options(mount, entry, &bind, &idmap, &array, &unknown, reterr);
        if (r < 0)
                return r;
        if (!bind && half == BUNDLE_PARENT)
                return 0;
        if (!bind)
                return node_refuse(&type, reterr, -EOPNOTSUPP, "%s: not supported yet",
                                   type.value ? node_string(&type) : "none");
        /* To the parent, an option that it does not know is a matter of what the child does with the source. */
        if (unknown.value && half == BUNDLE_CHILD)
                return node_refuse(&unknown, reterr, -EOPNOTSUPP, "%s: not supported yet", node_string(&unknown));
        r = set_paths(mount, bundle, entry, reterr);
        if (r == 0)
                r = set_map(mount, bundle, entry, idmap, reterr);
        return r < 0 ? r : 1;
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
                        bundle->n_mounts--;
        }
        return 0;
}
