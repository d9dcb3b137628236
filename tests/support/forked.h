/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FORKED_H
#define SUPPORT_FORKED_H

/*
 * Tests that each have a process, and a mount namespace, to themselves: what one mounts, limits or breaks does not reach the
 * next one. A body says assert(). It must leave no descriptor that it did not find and no child: both are looked at.
 */

#include "support.h"

#define FORKED_ROOT     1       /* skipped by name when not root of the initial user namespace */
#define FORKED_EXEC     2       /* in a newly executed program, which is single-threaded under every sanitizer */
#define FORKED_OLD      4       /* without open_tree_attr(2), as before Linux 6.15 */
#define FORKED_KEEPS    8       /* its descriptors and children are its own affair */

struct forked {
        void (*body)(void);
        int flags;
};

#define FORKED_AS(name, body, flags) { name, forked_test, NULL, NULL, &(struct forked){ body, flags } }
#define FORKED(body, flags) FORKED_AS(#body, body, flags)
#define FORKED_BOTH(body, flags) \
        FORKED(body, flags), FORKED_AS(#body " (open_tree_attr: ENOSYS)", body, (flags) | FORKED_OLD)

void forked_test(void **state);

/** forked_main() - the rest of main(): enters the namespace, runs, leaves; returns the exit status */
int forked_main(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t n);

/** forked_skip() - from a body: end as skipped, for this reason */
void forked_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
