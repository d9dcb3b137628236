/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_CONVERSE_H
#define SUPPORT_CONVERSE_H

/* Conversations of several kinds in a process that is disturbed, or starved. */

#include "handshake.h"
#include "support.h"

#define CONVERSE_KINDS 4        /* good ones, and such as fail by themselves */

/** converse() - have one of @kind; @any: it may fail, in order. What is wrong with it is told; how much that is */
int converse(struct handshake *handshake, size_t kind, int any);

/** converse_long() - is more asked for than a share */
int converse_long(void);

/** converse_test() - of a body, which has a process to itself, and returns how much went wrong */
void converse_test(void **state);
#define CONVERSE(body) { #body, converse_test, NULL, NULL, (void *)body }

/** converse_main() - the rest of main(): runs them in namespaces of their own; the exit status */
int converse_main(const char *name, const struct CMUnitTest *tests, size_t n);

#endif
