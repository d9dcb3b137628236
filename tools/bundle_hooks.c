/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "bundle.h"
#include "say.h"

static const char *const kinds[N_HOOK_KINDS] = {
        [HOOK_PRESTART] = "prestart",
        [HOOK_CREATE_RUNTIME] = "createRuntime",
        [HOOK_CREATE_CONTAINER] = "createContainer",
        [HOOK_START_CONTAINER] = "startContainer",
        [HOOK_POSTSTART] = "poststart",
        [HOOK_POSTSTOP] = "poststop",
};

const char *hook_kind_name(enum hook_kind kind) {
        return kinds[kind];
}

void bundle_hooks_clear(struct bundle *bundle) {
        size_t kind, i;

        for (kind = 0; kind < N_HOOK_KINDS; kind++) {
                for (i = 0; i < bundle->hooks[kind].n; i++) {
                        free(bundle->hooks[kind].hooks[i].args);
                        free(bundle->hooks[kind].hooks[i].env);
                }
                free(bundle->hooks[kind].hooks);
                bundle->hooks[kind] = (struct hook_list){ NULL, 0 };
        }
}

/* Without the key, or with an empty array: @first alone, or nothing. */
static int read_strings(const struct node *entry, const char *key, const char *first, char ***ret,
                        struct initsync_error *reterr) {
        struct node array;
        int r;

        r = node_member(entry, key, json_type_array, &array, reterr);
        if (r < 0)
                return r;
        if (r > 0 && node_length(&array) > 0)
                return node_strings(&array, ret, reterr);
        *ret = calloc(2, sizeof(**ret));        /* ANALYZED(malloc-leak): the hook has it, see bundle_hooks_clear() */
        if (!*ret)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        (*ret)[0] = (char *)(uintptr_t)first;
        return 0;
}

static int read_hook(struct hook *hook, const struct node *entry, struct initsync_error *reterr) {
        struct node node;
        int64_t number;
        int r;

        r = node_required(entry, "path", json_type_string, &node, reterr);
        if (r < 0)
                return r;
        hook->path = node_string(&node);
        if (hook->path[0] != '/')
                return node_refuse(&node, reterr, -EINVAL, "expected an absolute path");
        r = read_strings(entry, "args", hook->path, &hook->args, reterr);
        if (r == 0)
                r = read_strings(entry, "env", NULL, &hook->env, reterr);
        if (r == 0)
                r = node_member(entry, "timeout", json_type_int, &node, reterr);
        if (r <= 0)
                return r;
        number = json_object_get_int64(node.value);
        if (number < 1 || number > INT_MAX)
                return node_refuse(&node, reterr, -ERANGE, "expected 1 to %d seconds", INT_MAX);
        hook->timeout = (int)number;
        return 0;
}

static int read_list(struct hook_list *list, const struct node *array, struct initsync_error *reterr) {
        size_t n = node_length(array);
        struct node entry;
        int r = 0;

        list->hooks = calloc(n ? n : 1, sizeof(*list->hooks));          /* ANALYZED(malloc-leak): the bundle has it */
        if (!list->hooks)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        while (r == 0 && list->n < n) {
                r = node_element(array, list->n, json_type_object, &entry, reterr);
                if (r == 0)
                        r = read_hook(&list->hooks[list->n++], &entry, reterr);
        }
        return r;
}

int bundle_hooks(struct bundle *bundle, const struct node *config, struct initsync_error *reterr) {
        struct node hooks, array;
        size_t kind;
        int r;

        r = node_member(config, "hooks", json_type_object, &hooks, reterr);
        for (kind = 0; r > 0 && kind < N_HOOK_KINDS; kind++) {
                r = node_member(&hooks, kinds[kind], json_type_array, &array, reterr);
                if (r > 0)
                        r = read_list(&bundle->hooks[kind], &array, reterr);
                r = r < 0 ? r : 1;
        }
        return r < 0 ? r : 0;
}
