/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "say.h"
#include "filter.h"

#define ARGS_MAX 64             /* conditions of one rule; a call has six arguments */

/* What init itself calls once the filter is loaded, to hand over the listener: nobody could answer for it yet. */
static const char *const needed[] = { "write", "read" };
enum { N_NEEDED = sizeof(needed) / sizeof(needed[0]) };

static const struct {
        const char *name;
        uint32_t action, data_max;      /* 0: it has no data */
} actions[] = {
        { "SCMP_ACT_KILL",              SCMP_ACT_KILL,          0 },
        { "SCMP_ACT_KILL_THREAD",       SCMP_ACT_KILL_THREAD,   0 },
        { "SCMP_ACT_KILL_PROCESS",      SCMP_ACT_KILL_PROCESS,  0 },
        { "SCMP_ACT_TRAP",              SCMP_ACT_TRAP,          0 },
        { "SCMP_ACT_ERRNO",             SCMP_ACT_ERRNO(0),      4095 },         /* the kernel's MAX_ERRNO */
        { "SCMP_ACT_NOTIFY",            SCMP_ACT_NOTIFY,        0 },
        { "SCMP_ACT_TRACE",             SCMP_ACT_TRACE(0),      UINT16_MAX },
        { "SCMP_ACT_LOG",               SCMP_ACT_LOG,           0 },
        { "SCMP_ACT_ALLOW",             SCMP_ACT_ALLOW,         0 },
};

static const struct {
        const char *name;
        enum scmp_compare op;
} operators[] = {
        { "SCMP_CMP_NE", SCMP_CMP_NE }, { "SCMP_CMP_LT", SCMP_CMP_LT }, { "SCMP_CMP_LE", SCMP_CMP_LE },
        { "SCMP_CMP_EQ", SCMP_CMP_EQ }, { "SCMP_CMP_GE", SCMP_CMP_GE }, { "SCMP_CMP_GT", SCMP_CMP_GT },
        { "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
};

static int read_errno(const struct node *object, const char *key, uint32_t max, uint32_t *ret, struct initsync_error *reterr) {
        struct node node;
        int r;

        *ret = max ? EPERM : 0;
        r = node_member(object, key, json_type_int, &node, reterr);
        if (r <= 0)
                return r;
        if (max == 0)
                return node_refuse(&node, reterr, -EINVAL, "expected only with SCMP_ACT_ERRNO or SCMP_ACT_TRACE");
        if (json_object_get_int64(node.value) < 0 || json_object_get_int64(node.value) > max)
                return node_refuse(&node, reterr, -ERANGE, "expected 0 to %u", max);
        *ret = (uint32_t)json_object_get_int64(node.value);
        return 0;
}

int filter_action(const struct node *object, const char *key, const char *errno_key, uint32_t *ret,
                   struct initsync_error *reterr) {
        struct node node;
        uint32_t data;
        size_t i;
        int r;

        r = node_required(object, key, json_type_string, &node, reterr);
        if (r < 0)
                return r;
        for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
                if (strcmp(actions[i].name, node_string(&node)) != 0)
                        continue;
                r = read_errno(object, errno_key, actions[i].data_max, &data, reterr);
                *ret = actions[i].action | data;
                return r;
        }
        return node_refuse(&node, reterr, -EINVAL, "%s: expected SCMP_ACT_ALLOW, ERRNO, KILL, KILL_PROCESS, KILL_THREAD, LOG, "
                           "NOTIFY, TRACE or TRAP", node_string(&node));
}

static int read_arg(const struct node *arg, struct scmp_arg_cmp *ret, struct initsync_error *reterr) {
        struct node node;
        uint64_t one, two;
        uint32_t index;
        size_t i;
        int r;

        r = node_u32(arg, "index", &index, reterr);
        if (r == 0 && index > 5) {
                node_member(arg, "index", json_type_int, &node, NULL);
                r = node_refuse(&node, reterr, -ERANGE, "expected 0 to 5");
        }
        if (r == 0)
                r = node_u64(arg, "value", true, &one, reterr);
        if (r == 0)
                r = node_u64(arg, "valueTwo", false, &two, reterr);
        if (r == 0)
                r = node_required(arg, "op", json_type_string, &node, reterr);
        if (r != 0)
                return r;
        for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
                if (strcmp(operators[i].name, node_string(&node)) == 0) {
                        *ret = (struct scmp_arg_cmp){ index, operators[i].op, one, two };
                        return 0;
                }
        }
        return node_refuse(&node, reterr, -EINVAL, "%s: expected SCMP_CMP_EQ, GE, GT, LE, LT, MASKED_EQ or NE", node_string(&node));
}

/* @ret_apart: some argument has several conditions, so that each becomes a rule of its own, and any of them is enough. */
static int read_args(const struct node *entry, struct scmp_arg_cmp *args, unsigned *ret_n, bool *ret_apart,
                     struct initsync_error *reterr) {
        struct node array, element;
        unsigned seen = 0;
        size_t i;
        int r;

        *ret_n = 0;
        *ret_apart = false;
        r = node_member(entry, "args", json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        if (node_length(&array) > ARGS_MAX)
                return node_refuse(&array, reterr, -E2BIG, "more than %d", ARGS_MAX);
        for (i = 0; i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_object, &element, reterr);
                if (r == 0)
                        r = read_arg(&element, &args[i], reterr);
                if (r != 0)
                        return r;
                *ret_apart |= (seen >> args[i].arg) & 1;
                seen |= 1U << args[i].arg;
        }
        *ret_n = (unsigned)node_length(&array);
        return 0;
}

/* Whether more system calls pass without this rule. Of two actions the kernel takes the one that is less as a signed number. */
static bool restricts(const struct filter_rules *rules, uint32_t action) {
        return (int32_t)(action & 0xffff0000U) < (int32_t)(rules->default_action & 0xffff0000U);
}

static bool lets_through(uint32_t action) {
        return action == SCMP_ACT_ALLOW || action == SCMP_ACT_LOG;
}

static int note_need(struct filter_rules *rules, const struct node *name, uint32_t action, unsigned n_args,
                     struct initsync_error *reterr) {
        size_t i;

        for (i = 0; i < N_NEEDED; i++) {
                if (strcmp(needed[i], node_string(name)) != 0)
                        continue;
                if (action == SCMP_ACT_NOTIFY)
                        return node_refuse(name, reterr, -EINVAL, "%s: not with SCMP_ACT_NOTIFY: init itself needs it to hand over "
                                           "the listener", needed[i]);
                if (n_args) {
                        rules->needs[i].some = true;
                } else if (!rules->needs[i].every) {    /* libseccomp, too, takes the first for all */
                        rules->needs[i].every = true;
                        rules->needs[i].passes = lets_through(action);
                }
        }
        return 0;
}

/* A listener that cannot be handed over would leave a container that hangs in its first notified call. */
static int check_needs(const struct filter_rules *rules, const struct node *node, struct initsync_error *reterr) {
        const struct filter_need *need;
        size_t i;

        for (i = 0; rules->notify && i < N_NEEDED; i++) {
                need = &rules->needs[i];
                if (need->every ? !need->passes : !need->some && !lets_through(rules->default_action))
                        return node_refuse(node, reterr, -EINVAL, "expected %s to be allowed where SCMP_ACT_NOTIFY is used: init "
                                           "itself needs it to hand over the listener", needed[i]);
        }
        return 0;
}

static int add(void *context, uint32_t action, int number, const struct scmp_arg_cmp *args, unsigned n, bool apart) {
        unsigned i;
        int r = 0;

        if (!apart)
                return seccomp_rule_add_array(context, action, number, n, args);
        for (i = 0; r == 0 && i < n; i++)
                r = seccomp_rule_add_array(context, action, number, 1, &args[i]);
        return r;
}

static int read_name(struct filter_rules *rules, const struct node *name, uint32_t action, const struct scmp_arg_cmp *args,
                     unsigned n_args, bool apart, struct initsync_error *reterr) {
        int number = seccomp_syscall_resolve_name(node_string(name)), r;

        r = note_need(rules, name, action, n_args, reterr);
        if (r < 0)
                return r;
        filter_newer_name(rules, node_string(name));
        if (number == __NR_SCMP_ERROR) {
                /* A profile is written for many kernels and architectures: one that allows a call which is not known here is fine. */
                if (restricts(rules, action) && rules->n_unknown++ == 0)
                        node_refuse(name, &rules->unknown, 0, "%s: unknown to libseccomp %u.%u.%u: not restricted", node_string(name),
                                    seccomp_version()->major, seccomp_version()->minor, seccomp_version()->micro);
                return 0;
        }
        if (action == rules->default_action)
                return 0;               /* libseccomp would refuse it as superfluous */
        r = add(rules->context, action, number, args, n_args, apart);
        if (r == -EEXIST)
                return node_refuse(name, reterr, r, "%s: contradicts an earlier entry", node_string(name));
        return r < 0 ? node_refuse(name, reterr, r, "%s: libseccomp refuses the rule: %s", node_string(name), strerror(-r)) : 0;
}

static int read_entry(struct filter_rules *rules, const struct node *entry, struct initsync_error *reterr) {
        struct scmp_arg_cmp args[ARGS_MAX];
        struct node names, name;
        uint32_t action;
        unsigned n_args = 0;
        bool apart = false;
        size_t i;
        int r;

        r = node_required(entry, "names", json_type_array, &names, reterr);
        if (r == 0 && node_length(&names) == 0)
                r = node_refuse(&names, reterr, -EINVAL, "expected at least one name");
        if (r == 0)
                r = filter_action(entry, "action", "errnoRet", &action, reterr);
        if (r == 0)
                r = read_args(entry, args, &n_args, &apart, reterr);
        if (r != 0)
                return r;
        rules->notify |= action == SCMP_ACT_NOTIFY;
        for (i = 0; i < node_length(&names); i++) {
                r = node_element(&names, i, json_type_string, &name, reterr);
                if (r == 0 && !node_string(&name)[0])
                        r = node_refuse(&name, reterr, -EINVAL, "expected the name of a system call");
                if (r == 0)
                        r = read_name(rules, &name, action, args, n_args, apart, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int filter_rules(struct filter_rules *rules, const struct node *node, struct initsync_error *reterr) {
        struct node array, entry;
        size_t i;
        int r;

        r = node_member(node, "syscalls", json_type_array, &array, reterr);
        for (i = 0; r > 0 && i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_object, &entry, reterr);
                if (r == 0)
                        r = read_entry(rules, &entry, reterr);
                r = r < 0 ? r : 1;
        }
        return r < 0 ? r : check_needs(rules, node, reterr);
}
