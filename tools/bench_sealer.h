/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SEALER_H
#define BENCH_SEALER_H

/*
 * Sealing is about the file that a process executes: a copy of this program, of any size, that does operations on order.
 */

#include <stddef.h>
#include <sys/types.h>
#include "bench_measure.h"

enum sealer_order {
        SEALER_OVERLAY,                 /* set-up: the library's overlay; its bare calls */
        SEALER_BARE_OVERLAY,
        SEALER_MEMFD,
        SEALER_BARE_MEMFD,
        SEALER_EXEC,                    /* fork, execute, wait: what is not sealed, sealed each way, and sealed just before */
        SEALER_EXEC_OVERLAY,
        SEALER_EXEC_MEMFD,
        SEALER_BOTH_OVERLAY,
        SEALER_BOTH_BARE_OVERLAY,
        SEALER_BOTH_MEMFD,
        SEALER_N_ORDERS
};

struct sealer {
        char path[64];
        pid_t pid;
        int socket;
};
#define SEALER_NONE { "", 0, -1 }

/* sealer_start() - a copy at sealer->path, @more bytes longer than this program, that runs */
int sealer_start(struct sealer *sealer, size_t more, struct initsync_error *reterr);

/* sealer_do() - one operation in there: nanoseconds, or a negative errno */
int64_t sealer_do(struct sealer *sealer, enum sealer_order order, struct initsync_error *reterr);

void sealer_end(struct sealer *sealer);

/* sealer_main() - what the copy does, its socket being standard input */
#define SEALER_OPTION "--sealer"
int sealer_main(void);

#endif /* BENCH_SEALER_H */
