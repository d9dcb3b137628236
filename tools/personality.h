/* SPDX-License-Identifier: MIT */
#ifndef PERSONALITY_H
#define PERSONALITY_H

/*
 * linux.personality: what kind of machine uname(2) names.
 */

#include <stdbool.h>
#include <initsync.h>
#include "node.h"

struct personality {
        bool set;
        unsigned long domain;
};

/* personality_read() - "personality" of @linux_ */
int personality_read(struct personality *ret, const struct node *linux_, struct initsync_error *reterr);

/* personality_apply() - to this process; before its filter of system calls is there */
int personality_apply(const struct personality *wanted, struct initsync_error *reterr);

#endif /* PERSONALITY_H */
