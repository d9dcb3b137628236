/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bench_measure.h"
#include "bench_worker.h"
#include "cleanup.h"
#include "say.h"

int64_t clock_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int series_add(struct series *series, double sample) {
        if (series->n == series->room) {
                size_t room = series->room ? 2 * series->room : 64;
                double *at = realloc(series->at, room * sizeof(*at));

                if (!at)
                        return -ENOMEM;
                series->at = at;
                series->room = room;
        }
        series->at[series->n++] = sample;
        return 0;
}

void series_clear(struct series *series) {
        free(series->at);
        *series = (struct series){ .n = 0 };
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

static struct summary summarise(double *at, size_t n) {
        if (n == 0)
                return (struct summary){ .n = 0 };
        qsort(at, n, sizeof(*at), compare);
        return (struct summary){ at[n / 2], at[n / 10], at[n - 1 - n / 10], n };
}

struct summary summary_of(const struct series *series) {
        _cleanup_free_ double *sorted = malloc((series->n + 1) * sizeof(*sorted));

        if (!sorted)
                return (struct summary){ .n = 0 };
        if (series->n)
                memcpy(sorted, series->at, series->n * sizeof(*sorted));
        return summarise(sorted, series->n);
}

struct summary summary_of_ratio(const struct series *over, const struct series *under) {
        struct summary below = summary_of(under), result;
        _cleanup_free_ double *ratios = malloc((over->n + 1) * sizeof(*ratios));
        size_t i;

        if (!ratios || below.median <= 0)
                return (struct summary){ .n = 0 };
        for (i = 0; i < over->n; i++)
                ratios[i] = over->at[i] / (over->n == under->n ? under->at[i] : below.median);
        result = summarise(ratios, over->n);
        return result;
}

int64_t measure_batch(operation run, void *data, unsigned n, struct initsync_error *reterr) {
        _cleanup_free_ double *each = malloc(n * sizeof(*each));
        unsigned i;

        if (!each)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        for (i = 0; i < n; i++) {
                int64_t took = run(data, reterr);

                if (took < 0)
                        return took;
                each[i] = (double)took;
        }
        return (int64_t)summarise(each, n).median;
}

static int take_turn(const struct contender *contender, struct initsync_error *reterr) {
        unsigned batch = contender->batch ? contender->batch : 1;
        int64_t took = contender->worker ? worker_run(contender->worker, contender->run, contender->data, batch, reterr)
                                         : measure_batch(contender->run, contender->data, batch, reterr);

        if (took < 0)
                return fault_in(reterr, "%s", contender->series->name);
        /* ANALYZED(malloc-leak): the series has it */
        if (series_add(contender->series, (double)took / (contender->divide > 0 ? contender->divide : 1000)) < 0)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        return 0;
}

static void progress(const char *what, unsigned done, unsigned of) {
        if (isatty(STDERR_FILENO))
                fprintf(stderr, done < of ? "\r%s: %u of %u\033[K" : "\r\033[K", what, done, of);
}

int measure(const char *what, const struct contender *contenders, size_t n, unsigned rounds, struct initsync_error *reterr) {
        unsigned round;
        size_t i;
        int r = 0;

        for (round = 0; round < rounds && r == 0; round++) {
                progress(what, round, rounds);
                for (i = 0; i < n && r == 0; i++) {
                        const struct contender *contender = &contenders[(i + round) % n];

                        if (contender->every == 0 || round % contender->every == 0)
                                r = take_turn(contender, reterr);
                }
        }
        progress(what, rounds, rounds);
        return r;
}

int cpus(void) {
        cpu_set_t set;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 1;
        return CPU_COUNT(&set) > 1 ? 2 : 1;
}

int pin(int which) {
        cpu_set_t all, one;
        int cpu, seen = 0;

        if (sched_getaffinity(0, sizeof(all), &all) < 0)
                return -errno;
        CPU_ZERO(&one);
        for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
                if (CPU_ISSET(cpu, &all) && seen++ == which) {
                        CPU_SET(cpu, &one);
                        return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
                }
        }
        return -EINVAL;
}
