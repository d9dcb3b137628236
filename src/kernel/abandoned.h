/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ABANDONED_H
#define KERNEL_ABANDONED_H

/* Tasks that were killed while they hung in a dead file server: kept until the server lets them go. */

#include <stddef.h>

/*
 * abandoned_add() - consumes @task; its stack stays mapped until it is gone
 * @lowest:     of the bytes that can be written in @mapping
 */
void abandoned_add(int task, void *mapping, size_t size, void *lowest);

#endif /* KERNEL_ABANDONED_H */
