/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include "process.h"
#include "say.h"

void process_clear(struct process *process) {
        free(process->args);
        free(process->env);
        free(process->groups);
        process->args = process->env = NULL;
        process->groups = NULL;
}

/* (uid_t)-1 is no id: setresuid() takes it for "as it is". */
static int read_id(const struct node *user, const char *key, uint32_t *ret, struct initsync_error *reterr) {
        struct node node;
        int r;

        r = node_member(user, key, json_type_int, &node, reterr);
        if (r <= 0)
                return r;
        r = node_u32(user, key, ret, reterr);
        if (r == 0 && *ret == UINT32_MAX)
                r = node_refuse(&node, reterr, -ERANGE, "expected 0 to 4294967294");
        return r;
}

static int read_groups(struct process *process, const struct node *user, struct initsync_error *reterr) {
        struct node array, element;
        int64_t number;
        size_t i, n;
        int r;

        r = node_member(user, "additionalGids", json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        n = node_length(&array);
        if (n > NGROUPS_MAX)
                return node_refuse(&array, reterr, -E2BIG, "more than %d", NGROUPS_MAX);
        process->groups = calloc(n ? n : 1, sizeof(*process->groups));
        if (!process->groups)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++) {
                r = node_element(&array, i, json_type_int, &element, reterr);
                if (r < 0)
                        return r;
                number = json_object_get_int64(element.value);
                if (number < 0 || number >= UINT32_MAX)
                        return node_refuse(&element, reterr, -ERANGE, "expected 0 to 4294967294");
                process->groups[i] = (gid_t)number;
        }
        process->n_groups = n;
        return 0;
}

static int read_user(struct process *process, const struct node *node, struct initsync_error *reterr) {
        struct node user, mask;
        uint32_t number;
        int r;

        r = node_member(node, "user", json_type_object, &user, reterr);
        if (r <= 0)
                return r;
        r = read_id(&user, "uid", &process->uid, reterr);
        if (r == 0)
                r = read_id(&user, "gid", &process->gid, reterr);
        if (r == 0)
                r = read_groups(process, &user, reterr);
        if (r == 0)
                r = node_member(&user, "umask", json_type_int, &mask, reterr);
        if (r <= 0)
                return r;
        r = node_u32(&user, "umask", &number, reterr);
        if (r == 0 && number > 0777)
                r = node_refuse(&mask, reterr, -ERANGE, "expected 0 to 511, which is 0777 in octal");
        process->has_umask = true;
        process->umask = (mode_t)number;
        return r;
}

static int read_program(struct process *process, const struct node *node, struct initsync_error *reterr) {
        struct node value;
        int r;

        r = node_required(node, "args", json_type_array, &value, reterr);
        if (r == 0 && node_length(&value) == 0)
                r = node_refuse(&value, reterr, -EINVAL, "expected at least one string");
        if (r == 0)
                r = node_strings(&value, &process->args, reterr);
        if (r < 0)
                return r;
        r = node_member(node, "env", json_type_array, &value, reterr);
        if (r > 0)
                r = node_strings(&value, &process->env, reterr);
        else if (r == 0 && !(process->env = calloc(1, sizeof(*process->env))))
                r = fault_call(reterr, -ENOMEM, "calloc", NULL);
        if (r == 0)
                r = node_required(node, "cwd", json_type_string, &value, reterr);
        if (r < 0)
                return r;
        process->cwd = node_string(&value);
        if (process->cwd[0] != '/')
                return node_refuse(&value, reterr, -EINVAL, "expected an absolute path");
        return 0;
}

/* The kernel keeps 16 bits of each. */
static int read_size(const struct node *size, const char *key, unsigned short *ret, struct initsync_error *reterr) {
        struct node node;
        uint32_t number;
        int r;

        r = node_required(size, key, json_type_int, &node, reterr);
        if (r == 0)
                r = node_u32(size, key, &number, reterr);
        if (r != 0)
                return r;
        if (number > USHRT_MAX)
                return node_refuse(&node, reterr, -ERANGE, "expected 0 to %d", USHRT_MAX);
        *ret = (unsigned short)number;
        return 0;
}

/* The specification wants the size ignored where there is no terminal. */
static int read_terminal(struct process *process, const struct node *node, struct initsync_error *reterr) {
        struct node value;
        int r;

        r = node_member(node, "terminal", json_type_boolean, &value, reterr);
        if (r <= 0 || !json_object_get_boolean(value.value))
                return r < 0 ? r : 0;
        process->terminal = true;
        r = node_member(node, "consoleSize", json_type_object, &value, reterr);
        if (r <= 0)
                return r;
        r = read_size(&value, "height", &process->console_size.ws_row, reterr);
        return r < 0 ? r : read_size(&value, "width", &process->console_size.ws_col, reterr);
}

int process_read(struct process *process, const struct node *config, bool user_namespace, struct initsync_error *reterr) {
        struct node node, value = { .value = NULL };
        int r;

        r = node_required(config, "process", json_type_object, &node, reterr);
        if (r == 0)
                r = read_program(process, &node, reterr);
        if (r == 0)
                r = read_terminal(process, &node, reterr);
        if (r == 0)
                r = read_user(process, &node, reterr);
        if (r == 0)
                r = capabilities_read(process, &node, user_namespace, reterr);
        if (r == 0)
                r = node_member(&node, "noNewPrivileges", json_type_boolean, &value, reterr);
        if (r > 0)
                process->no_new_privileges = json_object_get_boolean(value.value);
        return r < 0 ? r : 0;
}
