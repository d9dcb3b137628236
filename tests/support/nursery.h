/* SPDX-License-Identifier: MIT */
#ifndef NURSERY_H
#define NURSERY_H

/*
 * A process with one thread, made before all others, that makes the children of this one's conversations.
 *
 * The C library sees to it that a child forked beside other threads can allocate. AddressSanitizer's own allocator does not, of
 * gcc 12 at least: its locks stay as they are at that moment, held for ever by threads that the child does not have.
 */

#include "handshake.h"

/* nursery_open() - from here on, and before there is a thread; conversations that are mapped by now alone can be used */
void nursery_open(void);

/* nursery_close() - it is gone when this returns; also when there was none */
void nursery_close(void);

#endif
