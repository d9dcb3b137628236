/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "words.h"

const struct word *words_find(const struct word *words, const char *name) {
        for (; words->name; words++)
                if (strcmp(words->name, name) == 0)
                        return words;
        return NULL;
}

int words_flags(const struct word *words, const struct node *object, const char *key, const char *what, uint64_t *ret,
                struct initsync_error *reterr) {
        struct node array, element;
        const struct word *word;
        uint64_t flags = 0;
        size_t i;
        int r;

        r = node_member(object, key, json_type_array, &array, reterr);
        for (i = 0; r > 0 && i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                word = words_find(words, node_string(&element));
                if (!word)
                        return node_refuse(&element, reterr, -EINVAL, "%s: no flag of %s", node_string(&element), what);
                if (word->value == WORD_WITHOUT_KEY)
                        return node_refuse(&element, reterr, -EOPNOTSUPP, "%s: not supported, there is no key for its value",
                                           node_string(&element));
                flags |= word->value;
                r = 1;
        }
        if (r < 0)
                return r;
        *ret = flags;
        return 0;
}
