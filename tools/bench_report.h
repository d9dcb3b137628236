/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

/* What one bench found: ratios, which are the claim, and figures, which are what they are made of. */

#include <stdbool.h>
#include "bench_measure.h"

struct json_object;

#define REPORT_SERIES 40
#define REPORT_RATIOS 24
#define REPORT_NOTES 16

struct ratio {
        char what[96];
        const struct series *over, *under;      /* NULL, NULL for a value of its own */
        double value;
        enum bound bound;
        double target;
};

struct report {
        const char *name, *what;
        bool quick;                             /* few rounds: for a look whether all works */
        char skipped[256];                      /* why it could not run */
        struct series series[REPORT_SERIES];
        size_t n_series;
        struct ratio ratios[REPORT_RATIOS];
        size_t n_ratios;
        char notes[REPORT_NOTES][256];
        size_t n_notes;
};

/* report_series() - a new series; its place stays */
struct series *report_series(struct report *report, const char *unit, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* report_ratio() - @over / @under, to be at most or at least @target */
void report_ratio(struct report *report, const struct series *over, const struct series *under, enum bound bound, double target,
                  const char *format, ...) __attribute__((format(printf, 6, 7)));

/* report_value() - a number of its own that has a target */
void report_value(struct report *report, double value, enum bound bound, double target, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* report_note() - a sentence below the table: a rival that is missing, a command line */
void report_note(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* report_rounds() - how many turns: @full, or few */
unsigned report_rounds(const struct report *report, unsigned full);

/* report_missed() - how many ratios missed their target */
int report_missed(const struct report *report);

void report_print(const struct report *report);
struct json_object *report_json(const struct report *report);
void report_clear(struct report *report);

#endif /* BENCH_REPORT_H */
