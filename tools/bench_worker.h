/* SPDX-License-Identifier: MIT */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

/* A process that does operations for the bench: one with much memory, for one, or with many descriptors. */

#include <sys/types.h>
#include "bench_measure.h"

struct worker {
        pid_t pid;
        int socket;
};
#define WORKER_NONE { 0, -1 }

/* worker_start() - @setup runs in it before anything else; a negative errno of it comes back here */
int worker_start(struct worker *worker, int (*setup)(void *data, struct initsync_error *reterr), void *data,
                 struct initsync_error *reterr);

/* worker_run() - measure_batch() in there; @data is what it was when the worker was started */
int64_t worker_run(struct worker *worker, operation run, void *data, unsigned n, struct initsync_error *reterr);

void worker_end(struct worker *worker);

#endif /* BENCH_WORKER_H */
