/* SPDX-License-Identifier: MIT */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include "bench_measure.h"

/*
 * memory_once() - an operation: bytes that one open session more takes, after one request of 45 kB
 *
 * The growth of resident memory from 10 to 1,000 open sessions, in a process of its own that has done nothing before.
 */
int64_t memory_once(void *data, struct initsync_error *reterr);

#endif /* BENCH_MEMORY_H */
