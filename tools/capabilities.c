/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>
#include "process.h"

static const char *const names[N_CAPABILITY_SETS] = {
        [CAPABILITY_BOUNDING] = "bounding",
        [CAPABILITY_EFFECTIVE] = "effective",
        [CAPABILITY_INHERITABLE] = "inheritable",
        [CAPABILITY_PERMITTED] = "permitted",
        [CAPABILITY_AMBIENT] = "ambient",
};

static int read_set(uint64_t *set, const struct node *node, const char *key, struct initsync_error *reterr) {
        struct node array, element;
        cap_value_t value;
        const char *name;
        size_t i;
        int r;

        r = node_member(node, key, json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        for (i = 0; i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                name = node_string(&element);
                /* Also "12" and "cap_kill" are names to libcap, but none of the specification's. */
                if (strncmp(name, "CAP_", 4) != 0 || name[4 + strspn(name + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] ||
                    cap_from_name(name, &value) < 0)
                        return node_refuse(&element, reterr, -EINVAL, "%s: unknown capability", name);
                *set |= UINT64_C(1) << value;
        }
        return 0;
}

/* What the kernel would refuse. Ambient ones that it would refuse are no error, since `runc spec` writes them. */
static int check_below(const uint64_t *sets, const struct node *object, enum capability_set low, enum capability_set high,
                       struct initsync_error *reterr) {
        struct node array = { .up = object, .key = names[low] };

        return sets[low] & ~sets[high] ? node_refuse(&array, reterr, -EINVAL, "more than in %s", names[high]) : 0;
}

int capabilities_read(uint64_t sets[static N_CAPABILITY_SETS], const struct node *node, struct initsync_error *reterr) {
        struct node object;
        size_t i;
        int r;

        r = node_member(node, "capabilities", json_type_object, &object, reterr);
        if (r <= 0)
                return r;
        for (i = 0; i < N_CAPABILITY_SETS; i++) {
                r = read_set(&sets[i], &object, names[i], reterr);
                if (r < 0)
                        return r;
        }
        r = check_below(sets, &object, CAPABILITY_EFFECTIVE, CAPABILITY_PERMITTED, reterr);
        return r < 0 ? r : check_below(sets, &object, CAPABILITY_INHERITABLE, CAPABILITY_BOUNDING, reterr);
}
