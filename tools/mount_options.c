/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bundle.h"
#include "kernel.h"
#include "say.h"

enum kind {
        BIND,
        IDMAP,
        SET,            /* an attribute */
        CLEAR,
        ATIME,          /* one of the three values of one attribute */
        NOT_ATIME,
        PROPAGATION,
        REMOUNT,
        COPY_UP,
        REFUSED,
        NOTHING         /* what is done anyway, or no business of the kernel's */
};

/* An attribute's name with "r" in front is about all mounts of a tree. What is not here is for the file system. */
static const struct mount_option {
        const char *name;
        enum kind kind;
        uint64_t value;
        bool recursive;
} options[] = {
        { "bind",          BIND,        0,                                      false },
        { "rbind",         BIND,        INITSYNC_MOUNT_RECURSIVE,               true },
        { "idmap",         IDMAP,       0,                                      false },
        { "ridmap",        IDMAP,       INITSYNC_MOUNT_IDMAP_RECURSIVE,         true },
        { "ro",            SET,         MOUNT_ATTR_RDONLY,                      false },
        { "rw",            CLEAR,       MOUNT_ATTR_RDONLY,                      false },
        { "nosuid",        SET,         MOUNT_ATTR_NOSUID,                      false },
        { "suid",          CLEAR,       MOUNT_ATTR_NOSUID,                      false },
        { "nodev",         SET,         MOUNT_ATTR_NODEV,                       false },
        { "dev",           CLEAR,       MOUNT_ATTR_NODEV,                       false },
        { "noexec",        SET,         MOUNT_ATTR_NOEXEC,                      false },
        { "exec",          CLEAR,       MOUNT_ATTR_NOEXEC,                      false },
        { "nodiratime",    SET,         MOUNT_ATTR_NODIRATIME,                  false },
        { "diratime",      CLEAR,       MOUNT_ATTR_NODIRATIME,                  false },
        { "nosymfollow",   SET,         MOUNT_ATTR_NOSYMFOLLOW,                 false },
        { "symfollow",     CLEAR,       MOUNT_ATTR_NOSYMFOLLOW,                 false },
        { "relatime",      ATIME,       MOUNT_ATTR_RELATIME,                    false },
        { "norelatime",    NOT_ATIME,   MOUNT_ATTR_RELATIME,                    false },
        { "noatime",       ATIME,       MOUNT_ATTR_NOATIME,                     false },
        { "atime",         NOT_ATIME,   MOUNT_ATTR_NOATIME,                     false },
        { "strictatime",   ATIME,       MOUNT_ATTR_STRICTATIME,                 false },
        { "nostrictatime", NOT_ATIME,   MOUNT_ATTR_STRICTATIME,                 false },
        { "private",       PROPAGATION, MS_PRIVATE,                             false },
        { "rprivate",      PROPAGATION, MS_PRIVATE,                             true },
        { "slave",         PROPAGATION, MS_SLAVE,                               false },
        { "rslave",        PROPAGATION, MS_SLAVE,                               true },
        { "shared",        PROPAGATION, MS_SHARED,                              false },
        { "rshared",       PROPAGATION, MS_SHARED,                              true },
        { "unbindable",    PROPAGATION, MS_UNBINDABLE,                          false },
        { "runbindable",   PROPAGATION, MS_UNBINDABLE,                          true },
        { "defaults",      NOTHING,     0,                                      false },
        { "remount",       REMOUNT,     0,                                      false },
        { "tmpcopyup",     COPY_UP,     0,                                      false },
        { "mand",          REFUSED,     0,                                      false },        /* gone with Linux 5.15 */
        { "nomand",        NOTHING,     0,                                      false },
        { "silent",        NOTHING,     0,                                      false },        /* of the kernel's log */
        { "loud",          NOTHING,     0,                                      false },
        { "noiversion",    NOTHING,     0,                                      false },
};

static const struct mount_option *find_option(const char *name) {
        size_t i;

        for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                if (strcmp(options[i].name, name) == 0)
                        return &options[i];
        return NULL;
}

/* Of two options that contradict each other the last one counts, as with mount(8). */
static void apply_attribute(uint64_t *set, uint64_t *clr, const struct mount_option *option) {
        switch (option->kind) {
        case SET:
                *set |= option->value;
                *clr &= ~option->value;
                break;
        case CLEAR:
                *clr |= option->value;
                *set &= ~option->value;
                break;
        case ATIME:
                *set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | option->value;
                *clr |= MOUNT_ATTR__ATIME;
                break;
        default:
                /* relatime is what the kernel does when nothing is said; another choice than the one taken back stays. */
                if (!(*clr & MOUNT_ATTR__ATIME) || (*set & MOUNT_ATTR__ATIME) == option->value) {
                        *set &= ~(uint64_t)MOUNT_ATTR__ATIME;
                        *clr |= MOUNT_ATTR__ATIME;
                }
        }
}

static bool is_attribute(const struct mount_option *option) {
        return option->kind == SET || option->kind == CLEAR || option->kind == ATIME || option->kind == NOT_ATIME;
}

/* Returns whether it is an option of every mount. */
static bool apply_option(struct bundle_mount *mount, const char *name, bool *bind, bool *idmap) {
        const struct mount_option *option = find_option(name), *tree = NULL;

        if (!option && name[0] == 'r')
                tree = find_option(name + 1);
        if (tree && is_attribute(tree)) {
                apply_attribute(&mount->tree_set, &mount->tree_clr, tree);
                return true;
        }
        if (!option)
                return false;
        switch (option->kind) {
        case BIND:
                *bind = true;
                mount->want.flags |= option->value;
                break;
        case IDMAP:
                *idmap = true;
                mount->want.flags |= option->value;
                break;
        case PROPAGATION:
                mount->propagation = option->value;
                mount->propagation_recursive = option->recursive;
                break;
        case REFUSED:
        case NOTHING:
                break;
        case REMOUNT:
                mount->remount = true;
                break;
        case COPY_UP:
                mount->copy_up = true;
                break;
        default:
                apply_attribute(&mount->want.attr_set, &mount->want.attr_clr, option);
        }
        return true;
}

int mount_options(struct bundle_mount *mount, const struct node *entry, bool *ret_bind, bool *ret_idmap,
                  struct initsync_error *reterr) {
        const struct mount_option *option;
        struct node array, element;
        size_t i, n;
        int r;

        r = node_member(entry, "options", json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        n = node_length(&array);
        mount->data = calloc(n ? n : 1, sizeof(*mount->data));
        if (!mount->data)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++) {
                r = node_element(&array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                option = find_option(node_string(&element));
                if (option && option->kind == REFUSED)
                        return node_refuse(&element, reterr, -EOPNOTSUPP, "%s: Linux has no mandatory locking any more",
                                           node_string(&element));
                if (!apply_option(mount, node_string(&element), ret_bind, ret_idmap))
                        mount->data[mount->n_data++] = node_string(&element);
        }
        return 0;
}
