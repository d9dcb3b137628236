/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ABANDONED_H
#define KERNEL_ABANDONED_H

/* Tasks that were killed while they hung in a dead file server, or that a tracer keeps: until they are let go. */

#include <stddef.h>

/*
 * abandoned_add() - consumes @task; its stack stays mapped until it is gone
 * @mapping:    or NULL
 * @lowest:     of the bytes that can be written in @mapping, if that is no shared memory; or NULL
 */
void abandoned_add(int task, void *mapping, size_t size, void *lowest);

#endif /* KERNEL_ABANDONED_H */
