/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "mount_remount.h"
#include "mount_type.h"
#include "say.h"
#include "tree.h"

static int same_place(const struct bundle_mount *a, const struct bundle_mount *b) {
        _cleanup_free_ char *first = NULL, *second = NULL, *rest = NULL;
        int r;

        if (asprintf(&first, "/%s", a->want.destination) < 0 || asprintf(&second, "/%s", b->want.destination) < 0)
                return -ENOMEM;
        r = bundle_below(first, second, &rest);
        return r <= 0 ? r : strcmp(rest, "/") == 0;
}

int mount_remount_find(const struct bundle_mount *mounts, size_t n, const struct bundle_mount *mount) {
        int r;

        while (n-- > 0) {
                if (mounts[n].kind == MOUNT_REMOUNT)
                        continue;
                r = same_place(&mounts[n], mount);
                if (r != 0)
                        return r < 0 ? r : (int)n;
        }
        return -ENOENT;
}

int mount_remount(const struct bundle_mount *mount, int tree, struct initsync_error *reterr) {
        struct mount_attributes attr = { mount->want.attr_set, mount->want.attr_clr, 0, 0 };
        int r = 0;

        if (mount->n_data > 0)
                r = mount_type_reconfigure(mount->want.destination, mount->data, mount->n_data, tree, reterr);
        if (mount_type_later(mount))
                attr.attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        if (r == 0 && (attr.attr_set || attr.attr_clr))
                r = tree_set(tree, false, &attr, mount->want.destination, reterr);
        return r;
}
