/* SPDX-License-Identifier: MIT */
#ifndef DEMO_PROBE_H
#define DEMO_PROBE_H

/*
 * What the kernel and the user's rights allow. Asked of the kernel itself and not of the library: a demo that believed the
 * library here would leave out just what the library cannot do, and call that success.
 */

#include <stdbool.h>
#include <stddef.h>

bool probe_setattr(void);

/* probe_userns(), probe_idmap() - what is not there gets its reason in @why */
bool probe_userns(char *why, size_t size);
bool probe_idmap(const char *directory, char *why, size_t size);

#endif /* DEMO_PROBE_H */
