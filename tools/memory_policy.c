/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "kernel.h"
#include "memory_policy.h"
#include "say.h"
#include "words.h"

#define BITS (8 * sizeof(unsigned long))

static const struct word modes[] = {
        { "MPOL_DEFAULT", 0 }, { "MPOL_PREFERRED", 1 }, { "MPOL_BIND", 2 }, { "MPOL_INTERLEAVE", 3 }, { "MPOL_LOCAL", 4 },
        { "MPOL_PREFERRED_MANY", 5 }, { "MPOL_WEIGHTED_INTERLEAVE", 6 }, { NULL, 0 },
};

static const struct word flags[] = {
        { "MPOL_F_NUMA_BALANCING", 1 << 13 }, { "MPOL_F_RELATIVE_NODES", 1 << 14 }, { "MPOL_F_STATIC_NODES", 1 << 15 },
        { NULL, 0 },
};

/* Moves @text past a number below MEMORY_NODES; false where there is none. */
static bool read_number(const char **text, unsigned *ret) {
        const char *start = *text;

        for (*ret = 0; **text >= '0' && **text <= '9' && *ret < MEMORY_NODES; ++*text)
                *ret = *ret * 10 + (unsigned)(**text - '0');
        return *text > start && *ret < MEMORY_NODES;
}

/* "0-3,7" */
static bool read_list(struct memory_policy *policy, const char *text) {
        unsigned first, last;

        for (;;) {
                if (!read_number(&text, &first))
                        return false;
                last = first;
                if (*text == '-') {
                        text++;
                        if (!read_number(&text, &last) || last < first)
                                return false;
                }
                for (; first <= last; first++)
                        policy->nodes[first / BITS] |= 1UL << first % BITS;
                policy->any_node = true;
                if (*text == '\0')
                        return true;
                if (*text++ != ',')
                        return false;
        }
}

int memory_policy_read(struct memory_policy *policy, const struct node *linux_, struct initsync_error *reterr) {
        const struct word *word;
        struct node object, node;
        uint64_t set;
        int r;

        *policy = (struct memory_policy){ .set = false };
        r = node_member(linux_, "memoryPolicy", json_type_object, &object, reterr);
        if (r <= 0 || json_object_object_length(object.value) == 0)
                return r < 0 ? r : 0;
        r = node_required(&object, "mode", json_type_string, &node, reterr);
        if (r < 0)
                return r;
        word = words_find(modes, node_string(&node));
        if (!word)
                return node_refuse(&node, reterr, -EINVAL, "%s: no mode of a memory policy", node_string(&node));
        policy->set = true;
        policy->mode = (int)word->value;
        r = node_member(&object, "nodes", json_type_string, &node, reterr);
        if (r > 0 && node_string(&node)[0] && !read_list(policy, node_string(&node)))
                return node_refuse(&node, reterr, -EINVAL, "%s: expected nodes below %d, as in \"0-3,7\"", node_string(&node),
                                   MEMORY_NODES);
        if (r >= 0)
                r = words_flags(flags, &object, "flags", "a memory policy", &set, reterr);
        if (r == 0)
                policy->mode |= (int)set;
        return r;
}

int memory_policy_apply(const struct memory_policy *policy, struct initsync_error *reterr) {
        if (!policy->set)
                return 0;
        /* The kernel takes the last bit of the mask for none of it. */
        if (syscall(SYS_set_mempolicy, policy->mode, policy->any_node ? policy->nodes : NULL,
                    policy->any_node ? MEMORY_NODES + 1UL : 0UL) < 0)
                return fault_call(reterr, -errno, "set_mempolicy", "config.json: linux.memoryPolicy");
        return 0;
}
