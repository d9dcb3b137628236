/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include "bundle.h"
#include "kernel.h"

static const struct type {
        const char *name;
        int flag;
} types[] = {
        { "pid",        CLONE_NEWPID },
        { "network",    CLONE_NEWNET },
        { "mount",      CLONE_NEWNS },
        { "ipc",        CLONE_NEWIPC },
        { "uts",        CLONE_NEWUTS },
        { "user",       CLONE_NEWUSER },
        { "cgroup",     CLONE_NEWCGROUP },
        { "time",       CLONE_NEWTIME },
};

static int read_type(const struct node *element, struct node *node, int *ret_flag, struct initsync_error *reterr) {
        size_t i;
        int r;

        r = node_required(element, "type", json_type_string, node, reterr);
        if (r < 0)
                return r;
        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                if (strcmp(types[i].name, node_string(node)) == 0) {
                        *ret_flag = types[i].flag;
                        return 0;
                }
        }
        return node_refuse(node, reterr, -EINVAL, "%s: unknown namespace type", node_string(node));
}

const char *bundle_namespace_name(int flag) {
        size_t i;

        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (types[i].flag == flag)
                        return types[i].name;
        return "unknown";
}

const char *bundle_namespace_path(const struct bundle *bundle, int flag) {
        size_t i;

        for (i = 0; i < bundle->n_joined; i++)
                if (bundle->joined[i].flag == flag)
                        return bundle->joined[i].path;
        return NULL;
}

int bundle_new_namespaces(const struct bundle *bundle) {
        int flags = bundle->namespaces;
        size_t i;

        for (i = 0; i < bundle->n_joined; i++)
                flags &= ~bundle->joined[i].flag;
        return flags;
}

/* No entry comes twice, so that all of them have room. */
static int add(struct bundle *bundle, const struct node *element, int flag, struct initsync_error *reterr) {
        struct bundle_namespace *joined = &bundle->joined[bundle->n_joined];
        struct node path;
        int r;

        bundle->namespaces |= flag;
        r = node_member(element, "path", json_type_string, &path, reterr);
        if (r < 0)
                return r;
        if (r == 0 || !node_string(&path)[0]) {
                bundle->new_time |= flag == CLONE_NEWTIME;
                return 0;
        }
        if (node_string(&path)[0] != '/')
                return node_refuse(&path, reterr, -EINVAL, "expected an absolute path");
        *joined = (struct bundle_namespace){ .index = element->index, .flag = flag, .path = node_string(&path) };
        bundle->n_joined++;
        return 0;
}

int bundle_namespaces(struct bundle *bundle, const struct node *linux_, struct initsync_error *reterr) {
        struct node array, element, node;
        int r, flag = 0;
        size_t i;

        r = node_member(linux_, "namespaces", json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        for (i = 0; i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_object, &element, reterr);
                if (r == 0)
                        r = read_type(&element, &node, &flag, reterr);
                if (r < 0)
                        return r;
                if (bundle->namespaces & flag)
                        return node_refuse(&node, reterr, -EINVAL, "%s: given twice", node_string(&node));
                r = add(bundle, &element, flag, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int bundle_startable(const struct bundle *bundle, struct initsync_error *reterr) {
        const struct node config = { .value = bundle->config };
        struct node linux_, array, map;
        int r;

        r = node_required(&config, "linux", json_type_object, &linux_, reterr);
        if (r == 0)
                r = node_required(&linux_, "namespaces", json_type_array, &array, reterr);
        if (r < 0)
                return r;
        if (!(bundle->namespaces & CLONE_NEWNS))
                return node_refuse(&array, reterr, -EINVAL, "expected one of type mount");
        map = (struct node){ .up = &linux_, .key = "uidMappings" };
        if ((bundle_new_namespaces(bundle) & CLONE_NEWUSER) && bundle->uids.n == 0)
                return node_refuse(&map, reterr, -EINVAL, "is missing for the user namespace");
        if (!(bundle->namespaces & CLONE_NEWUSER) && bundle->uids.n > 0)
                return node_refuse(&map, reterr, -EINVAL, "without a user namespace in linux.namespaces");
        return 0;
}
