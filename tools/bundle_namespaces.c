/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include "bundle.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

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
                        r = node_member(&element, "path", json_type_string, &node, reterr);
                if (r >= 0)
                        r = read_type(&element, &node, &flag, reterr);
                if (r < 0)
                        return r;
                if (bundle->namespaces & flag)
                        return node_refuse(&node, reterr, -EINVAL, "%s: given twice", node_string(&node));
                bundle->namespaces |= flag;
        }
        return 0;
}

/* The array was read before: its types are right. */
static int check_each(const struct node *array, struct initsync_error *reterr) {
        struct node element, node;
        int r = 0, flag = 0;
        size_t i;

        for (i = 0; i < node_length(array); i++) {
                r = node_element(array, i, json_type_object, &element, reterr);
                if (r == 0)
                        r = node_member(&element, "path", json_type_string, &node, reterr);
                if (r < 0)
                        return r;
                if (r > 0 && node_string(&node)[0])
                        return node_refuse(&node, reterr, -EOPNOTSUPP, "not supported yet");
                r = read_type(&element, &node, &flag, reterr);
                if (r < 0)
                        return r;
                if (flag == CLONE_NEWTIME)
                        return node_refuse(&node, reterr, -EOPNOTSUPP, "time: not supported yet");
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
        if (r == 0)
                r = check_each(&array, reterr);
        if (r < 0)
                return r;
        if (!(bundle->namespaces & CLONE_NEWNS))
                return node_refuse(&array, reterr, -EINVAL, "expected one of type mount");
        map = (struct node){ .up = &linux_, .key = "uidMappings" };
        if ((bundle->namespaces & CLONE_NEWUSER) && bundle->uids.n == 0)
                return node_refuse(&map, reterr, -EINVAL, "is missing for the user namespace");
        if (!(bundle->namespaces & CLONE_NEWUSER) && bundle->uids.n > 0)
                return node_refuse(&map, reterr, -EINVAL, "without a user namespace in linux.namespaces");
        return 0;
}
