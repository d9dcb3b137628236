/* SPDX-License-Identifier: MIT */
#ifndef WORDS_H
#define WORDS_H

/*
 * Words of config.json that stand for numbers of the kernel's.
 */

#include <stdint.h>
#include <initsync.h>
#include "node.h"

/* A table of them ends with a NULL. */
struct word {
        const char *name;
        uint64_t value;
};

/* The value of a flag that wants a number, for which the specification has no key: it is refused. */
#define WORD_WITHOUT_KEY UINT64_MAX

const struct word *words_find(const struct word *words, const char *name);

/*
 * words_flags() - all that @key of @object has, an array, or nothing; each is one of @words
 * @what: as in "no flag of @what", for another one
 */
int words_flags(const struct word *words, const struct node *object, const char *key, const char *what, uint64_t *ret,
                struct initsync_error *reterr);

#endif /* WORDS_H */
