/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <initsync.h>

/*
 * place_enter() - a mount namespace of our own, with a tmpfs at BENCH_PLACE in it
 *
 * An ordinary user enters a user namespace with it. As many descriptors as may be are allowed from here on.
 */
int place_enter(struct initsync_error *reterr);

#endif /* BENCH_PLACE_H */
