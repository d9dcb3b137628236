/* SPDX-License-Identifier: MIT */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/*
 * The clock of the bench, and how contenders are measured beside each other.
 *
 * A machine has other things to do, in phases: contenders take turns, so that a phase meets all of them, and a ratio is the median
 * of the ratios within one turn. What one turn gives is the median of a batch, since a single operation may be interrupted.
 */

#include <stdint.h>
#include <initsync.h>

/* Samples of one thing, in the order of the turns. */
struct series {
        char name[96];
        const char *unit;
        double *at;
        size_t n, room;
};

enum bound {
        NO_BOUND,
        AT_MOST,
        AT_LEAST
};

/* What several samples come to; a tenth of them lies below @low, a tenth above @high. */
struct summary {
        double median, low, high;
        size_t n;
};

/* operation - do one, and return how many nanoseconds of it count; a negative errno with @reterr filled */
typedef int64_t (*operation)(void *data, struct initsync_error *reterr);

struct worker;                  /* a process that does operations; NULL: in this one */

struct contender {
        struct series *series;
        operation run;
        void *data;
        struct worker *worker;
        unsigned batch;         /* operations a turn; 0 for one */
        unsigned every;         /* takes part in every so manieth turn only; 0 for each. For what takes long */
        double divide;          /* of nanoseconds, to get at the unit; 0 for 1000: microseconds */
};

int64_t clock_ns(void);

int series_add(struct series *series, double sample);
void series_clear(struct series *series);

/* summary_of() - of one series; summary_of_ratio() - of @over divided by @under, turn by turn where both have as many turns */
struct summary summary_of(const struct series *series);
struct summary summary_of_ratio(const struct series *over, const struct series *under);

/*
 * measure() - @rounds turns for each of @contenders, who take turns in going first
 * @what: for the line of progress on a terminal
 *
 * Return: 0, or a negative errno of the first operation that failed.
 */
int measure(const char *what, const struct contender *contenders, size_t n, unsigned rounds, struct initsync_error *reterr);

/* measure_batch() - the median of @n operations, in nanoseconds */
int64_t measure_batch(operation run, void *data, unsigned n, struct initsync_error *reterr);

/* cpus() - how many this process may use, at most two are counted; pin() - the calling thread to the first or the second of them */
int cpus(void);
int pin(int which);

#endif /* BENCH_MEASURE_H */
