/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include "process.h"

static const char *const names[N_CAPABILITY_SETS] = {
        [CAPABILITY_BOUNDING] = "bounding",
        [CAPABILITY_EFFECTIVE] = "effective",
        [CAPABILITY_INHERITABLE] = "inheritable",
        [CAPABILITY_PERMITTED] = "permitted",
        [CAPABILITY_AMBIENT] = "ambient",
};

/* 0 for one that is unknown here, as that of a later kernel is: the specification wants a warning, and no error. */
static uint64_t bit_of(const char *name) {
        cap_value_t value;

        return cap_from_name(name, &value) < 0 || value >= 64 ? 0 : UINT64_C(1) << value;
}

static int read_set(uint64_t *set, const struct node *node, const char *key, struct initsync_error *reterr) {
        struct node array, element;
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
                if (strncmp(name, "CAP_", 4) != 0 || name[4 + strspn(name + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")])
                        return node_refuse(&element, reterr, -EINVAL, "%s: unknown capability", name);
                *set |= bit_of(name);
        }
        return 0;
}

uint64_t capabilities_permitted(void) {
        cap_t caps = cap_get_proc();
        cap_flag_value_t is_set;
        uint64_t set = 0;
        cap_value_t value;

        for (value = 0; caps && value < 64; value++)
                if (cap_get_flag(caps, value, CAP_PERMITTED, &is_set) == 0 && is_set == CAP_SET)
                        set |= UINT64_C(1) << value;
        if (caps)
                cap_free(caps);
        return set;
}

/*
 * Takes out what nobody will be granted: what this kernel has not, what we have not ourselves, unless a user namespace
 * gives all of it anew, and what a set may not have beyond another one. Of the ambient ones, of which `runc spec` has some
 * that are not inheritable, see privileges_enter(), only those that this kernel has not.
 */
static void limit(uint64_t sets[static N_CAPABILITY_SETS], bool user_namespace) {
        uint64_t known = 0, bounding = 0, can;
        cap_value_t value;
        int r;

        for (value = 0; value < 64; value++) {
                r = prctl(PR_CAPBSET_READ, value, 0, 0, 0);
                known |= r >= 0 ? UINT64_C(1) << value : 0;
                bounding |= r > 0 ? UINT64_C(1) << value : 0;
        }
        can = user_namespace ? known : capabilities_permitted();
        sets[CAPABILITY_BOUNDING] &= user_namespace ? known : bounding;
        sets[CAPABILITY_PERMITTED] &= can;
        sets[CAPABILITY_EFFECTIVE] &= sets[CAPABILITY_PERMITTED];
        sets[CAPABILITY_INHERITABLE] &= sets[CAPABILITY_BOUNDING] & can;
        sets[CAPABILITY_AMBIENT] &= known;
}

/* They are as many as somebody likes to write; the line is one. */
static void note(char text[static CAPABILITIES_TEXT], const char *set, size_t i, const char *name) {
        static const char others[] = ", and others";
        size_t used = strlen(text), n;
        char one[96];

        n = (size_t)snprintf(one, sizeof(one), "%s%s[%zu] %.48s", used ? ", " : "", set, i, name);
        if (used + n + sizeof(others) <= CAPABILITIES_TEXT)
                memcpy(text + used, one, n + 1);
        else if (used < sizeof(others) || strcmp(text + used - sizeof(others) + 1, others) != 0)
                memcpy(text + used, others, sizeof(others));
}

static void note_set(char text[static CAPABILITIES_TEXT], const struct node *node, const char *key, uint64_t granted) {
        struct initsync_error unused;
        struct node array, element;
        size_t i;

        if (node_member(node, key, json_type_array, &array, &unused) <= 0)
                return;
        for (i = 0; i < node_length(&array); i++)
                if (node_element(&array, i, json_type_string, &element, &unused) == 0 &&
                    !(bit_of(node_string(&element)) & granted))
                        note(text, key, i, node_string(&element));
}

int capabilities_read(struct process *process, const struct node *node, bool user_namespace, struct initsync_error *reterr) {
        uint64_t *sets = process->capabilities;
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
        limit(sets, user_namespace);
        for (i = 0; i < N_CAPABILITY_SETS; i++)
                note_set(process->not_granted, &object, names[i], sets[i]);
        return 0;
}
