/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "cleanup.h"
#include "say.h"
#include "stage.h"
#include "tree.h"

/* Each fails, and changes nothing. */
static const struct {
        const char *name;
        long number, args[5];
} calls[] = {
        { "open_tree",     SYS_open_tree,     { -1, 0, 0 } },
        { "move_mount",    SYS_move_mount,    { -1, 0, -1, 0, 0 } },
        { "fsopen",        SYS_fsopen,        { 0, 0 } },
        { "fsconfig",      SYS_fsconfig,      { -1, -1, 0, 0, 0 } },
        { "fsmount",       SYS_fsmount,       { -1, 0, 0 } },
        { "fspick",        SYS_fspick,        { -1, 0, 0 } },
        { "mount_setattr", SYS_mount_setattr, { -1, 0, 0, 0, 0 } },
};

/* Of this process, which sets up one container. */
static struct {
        bool looked;
        const char *missing;
        int code;
        int setattr;            /* what mount_setattr(2) answers, if it is missing */
        struct stage stage;
} way = { .stage = { .fd = -1 } };

const char *tree_missing(int *ret_code) {
        const long *args;
        size_t i;
        int r;

        for (i = 0; !way.looked && i < sizeof(calls) / sizeof(calls[0]); i++) {
                args = calls[i].args;
                r = kernel_result(syscall(calls[i].number, args[0], args[1], args[2], args[3], args[4]));
                if (r != -ENOSYS && r != -EPERM)
                        continue;
                if (calls[i].number == SYS_mount_setattr)
                        way.setattr = r;
                if (!way.missing) {
                        way.missing = calls[i].name;
                        way.code = r;
                }
        }
        way.looked = true;
        *ret_code = way.code;
        return way.missing;
}

static bool missing(void) {
        int code;

        return tree_missing(&code) != NULL;
}

int tree_begin(int directory, const char *path, struct initsync_error *reterr) {
        int code, r;
        const char *call = tree_missing(&code);

        if (!call)
                return 0;
        r = stage_begin(&way.stage, directory, path, reterr);
        return r < 0 ? fault_in(reterr, "%s: %s, and without it", call, strerror(-code)) : 0;
}

void tree_end(void) {
        fd_closep(&way.stage.fd);
}

int tree_clone(int fd, bool recursive, const char *path, int *ret_tree, struct initsync_error *reterr) {
        int tree;

        if (missing())
                return stage_bind(&way.stage, fd, recursive, path, ret_tree, reterr);
        tree = kernel_clone_tree(fd, recursive);
        if (tree < 0)
                return fault_call(reterr, tree, "open_tree", path);
        *ret_tree = tree;
        return 0;
}

int tree_make(const char *type, const char *source, const char *const *data, size_t n, bool read_only, uint64_t attributes,
              int *ret_tree, struct initsync_error *reterr) {
        return stage_make(&way.stage, type, source, data, n, read_only, attributes, ret_tree, reterr);
}

int tree_mappable(const char *path, struct initsync_error *reterr) {
        if (!missing())
                return 0;
        /* Only of a mount that is in no place at all. */
        fault_call(reterr, way.setattr ? way.setattr : way.code, way.setattr ? "mount_setattr" : way.missing, path);
        return fault_in(reterr, "id mapping");
}

/* What mount(2) cannot do. */
static int refuse(const struct mount_attributes *attr, bool recursive, const char *path, struct initsync_error *reterr) {
        if (way.setattr == 0 || !recursive || !(attr->attr_set || attr->attr_clr))
                return 0;
        fault_call(reterr, way.setattr, "mount_setattr", path);
        return fault_in(reterr, "attributes of all mounts of a tree");
}

int tree_set(int tree, bool recursive, const struct mount_attributes *attr, const char *path,
             struct initsync_error *reterr) {
        int r = missing() ? refuse(attr, recursive, path, reterr) : 0;

        if (r == 0 && way.setattr)
                return stage_set(tree, recursive, attr, path, reterr);
        if (r == 0) {
                r = kernel_mount_setattr(tree, recursive, attr);
                if (r < 0)
                        fault_call(reterr, r, "mount_setattr", path);
        }
        return r;
}

int tree_attach(int tree, int target, struct initsync_error *reterr) {
        return missing() ? stage_move(tree, target, reterr) : initsync_attach(tree, target, reterr);
}
