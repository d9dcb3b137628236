/* SPDX-License-Identifier: MIT */
#ifndef BENCH_DUO_H
#define BENCH_DUO_H

/*
 * One conversation between two processes made for it, either ours or bare, whose child times its requests.
 */

#include "bench.h"

#define DUO_REQUESTS 1024       /* what one conversation may have */

struct duo {
        bool bare, json, mapped;
        int parent_cpu, child_cpu;      /* -1: wherever */
        unsigned ahead;                 /* requests of one call, sent ahead */
        unsigned warm, timed;           /* calls before time counts, and calls that count */
        const char *source;
};

/* What both processes write to. */
struct duo_result {
        int64_t took[DUO_REQUESTS];     /* of each timed call */
        unsigned n;
        int64_t code;
        struct initsync_error error;
};

/* duo_run() - the whole of it; 0, or a negative errno. @result lies in memory that processes share: duo_result_new() */
int duo_run(const struct duo *duo, struct duo_result *result, struct initsync_error *reterr);

struct duo_result *duo_result_new(struct initsync_error *reterr);
void duo_result_free(struct duo_result *result);

/* duo_median() - an operation for measure(): the median of a conversation's timed calls; @data is a struct duo_operation */
struct duo_operation {
        struct duo duo;
        struct duo_result *result;
};
int64_t duo_median(void *data, struct initsync_error *reterr);

#endif /* BENCH_DUO_H */
