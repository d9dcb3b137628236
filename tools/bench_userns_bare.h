/* SPDX-License-Identifier: MIT */
#ifndef BENCH_USERNS_BARE_H
#define BENCH_USERNS_BARE_H

/* User namespaces without the library. */

#include "bench.h"

/* bare_userns() - a helper that shares our memory, two writes, a descriptor, kill, wait: the least there is to it */
int bare_userns(const struct bench_maps *maps, struct initsync_error *reterr);

/*
 * traced_userns() - as runtimes in Go make it: a fork in a new user namespace that lets itself be traced and executes this
 * program, so that it stops before its first instruction; its map is written meanwhile
 */
int traced_userns(const struct bench_maps *maps, struct initsync_error *reterr);

#endif /* BENCH_USERNS_BARE_H */
