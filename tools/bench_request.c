/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "bench_bare.h"
#include "bench_duo.h"
#include "say.h"

#define SOURCE BENCH_PLACE "/source"
#define CASES 8
#define QUEUED 32

static int make_source(struct initsync_error *reterr) {
        if (mkdir(SOURCE, 0755) < 0 && errno != EEXIST)
                return fault_call(reterr, -errno, "mkdir", SOURCE);
        return 0;
}

/* One way to have the request made, on one processor or two. */
static struct contender contender(struct report *report, struct duo_operation *one, const struct duo *duo, int two,
                                  const char *what) {
        struct series *series = report_series(report, "us", "%s, %s", what, two ? "a CPU each" : "one CPU");

        one->duo = *duo;
        one->duo.parent_cpu = 0;
        one->duo.child_cpu = two;
        return (struct contender){ series, duo_median, one, NULL, 1, 0, 1000.0 * duo->ahead };
}

struct setting {
        bool mapped;
        unsigned ahead, warm, timed, rounds;
        double one_cpu, two_cpus;       /* what ours / floor must not pass */
};

static int compare(struct report *report, const struct setting *setting, struct initsync_error *reterr) {
        struct duo duo = { .mapped = setting->mapped, .ahead = setting->ahead, .warm = setting->warm,
                           .timed = report->quick ? 4 : setting->timed, .source = SOURCE };
        struct duo_result *result = duo_result_new(reterr);
        struct duo_operation operations[CASES];
        struct contender contenders[CASES];
        const char *floor = setting->mapped ? "floor: same packets, openat2, open_tree_attr, json-c"
                                            : "floor: same packets, openat2, open_tree, json-c";
        int two, n = 0, r = result ? make_source(reterr) : -ENOMEM;

        for (two = 0; two < cpus() && r == 0; two++) {
                operations[n].result = operations[n + 1].result = operations[n + 2].result = result;
                duo.bare = false;
                contenders[n] = contender(report, &operations[n], &duo, two, "ours");
                duo.bare = duo.json = true;
                contenders[n + 1] = contender(report, &operations[n + 1], &duo, two, floor);
                duo.json = false;
                contenders[n + 2] = contender(report, &operations[n + 2], &duo, two, "the same without JSON");
                report_ratio(report, contenders[n].series, contenders[n + 1].series, AT_MOST,
                             two ? setting->two_cpus : setting->one_cpu, "ours / floor, %s", two ? "a CPU each" : "one CPU");
                report_ratio(report, contenders[n].series, contenders[n + 2].series, NO_BOUND, 0,
                             "ours / the same without JSON, %s", two ? "a CPU each" : "one CPU");
                n += 3;
        }
        if (cpus() < 2)
                report_note(report, "one processor only: nothing with a CPU each");
        if (r == 0)
                r = measure(report->name, contenders, (size_t)n, report_rounds(report, setting->rounds), reterr);
        duo_result_free(result);
        return r;
}

static int run_request(struct report *report, struct initsync_error *reterr) {
        const struct setting setting = { true, 1, 10, 100, 40, 1.3, 1.2 };

        report_note(report, "runc: its parent serves such requests only inside of `runc run`: no figure can be had of it alone");
        return compare(report, &setting, reterr);
}

const struct bench bench_request = { "request", "one id-mapped mount request: child, parent, descriptor in the child", false,
                                     run_request };

static int run_plain(struct report *report, struct initsync_error *reterr) {
        const struct setting setting = { false, 1, 10, 100, 40, 1.4, 1.4 };

        return compare(report, &setting, reterr);
}

const struct bench bench_plain = { "plain", "one plain bind request", false, run_plain };

/* ---- 32 sent ahead ---- */

static struct initsync_mount example;
static struct initsync_idmap example_map = { 1000, 100000, 1000 };
#define PRINTED 1000            /* so short that many are timed at once */

static int64_t do_json(void *data, struct initsync_error *reterr) {
        int64_t start = clock_ns();
        int i;

        for (i = 0; i < PRINTED; i++)
                if (bare_json(&example, *(const enum bare_json *)data) < 0)
                        return fault(reterr, -EPROTO, "json-c cannot read what it wrote");
        return clock_ns() - start;
}

static int measure_json(struct report *report, struct initsync_error *reterr) {
        static enum bare_json parts[BARE_JSON_PARTS] = { BARE_PRINT_REQUEST, BARE_PARSE_REQUEST, BARE_PRINT_ANSWER,
                                                         BARE_PARSE_ANSWER };
        static const char *const names[BARE_JSON_PARTS] = { "json-c: print the request", "json-c: print the request and parse it",
                                                            "json-c: print the answer", "json-c: parse the answer" };
        struct contender contenders[BARE_JSON_PARTS];
        int i;

        example = (struct initsync_mount)INITSYNC_MOUNT_INIT;
        example.source = SOURCE;
        example.destination = "/srv";
        example.uids = example.gids = &example_map;
        example.n_uids = example.n_gids = 1;
        for (i = 0; i < BARE_JSON_PARTS; i++)
                contenders[i] = (struct contender){ report_series(report, "us", "%s", names[i]), do_json, &parts[i], NULL, 1, 0,
                                                    1000.0 * PRINTED };
        return measure(report->name, contenders, BARE_JSON_PARTS, report_rounds(report, 40), reterr);
}

static int run_32(struct report *report, struct initsync_error *reterr) {
        const struct setting setting = { true, QUEUED, 2, 16, 30, 1.25, 1.25 };
        int r = compare(report, &setting, reterr);

        return r < 0 ? r : measure_json(report, reterr);
}

const struct bench bench_requests_32 = { "requests-32", "32 id-mapped requests sent ahead, each", false, run_32 };

/* ---- 1,000 in one conversation ---- */

struct halves {
        struct duo_operation operation;
        bool second;
};

/* The conversation is had for the first half; the second is what it has left. */
static int64_t do_half(void *data, struct initsync_error *reterr) {
        struct halves *halves = data;
        const struct duo_result *result = halves->operation.result;
        unsigned half = halves->operation.duo.timed / 2, i;
        int64_t sum = 0;
        int r = halves->second ? 0 : duo_run(&halves->operation.duo, halves->operation.result, reterr);

        if (r < 0)
                return r;
        for (i = 0; i < half; i++)
                sum += result->took[i + (halves->second ? half : 0)];
        return sum / half;      /* ANALYZED(core.DivideZero): 10 or 500, see run_mounts() */
}

static int run_mounts(struct report *report, struct initsync_error *reterr) {
        struct duo duo = { .mapped = true, .ahead = 1, .timed = report->quick ? 20 : 1000, .source = SOURCE };
        struct duo_result *result = duo_result_new(reterr);
        struct halves first = { { duo, result }, false }, second = { { duo, result }, true };
        struct series *one = report_series(report, "us", "a request of the first half"),
                      *two = report_series(report, "us", "a request of the second half");
        const struct contender halves[2] = { { one, do_half, &first, NULL, 1, 0, 0 }, { two, do_half, &second, NULL, 1, 0, 0 } };
        unsigned round;
        int r = result ? make_source(reterr) : -ENOMEM;

        report_ratio(report, two, one, AT_MOST, 1.1, "second half / first half");
        for (round = 0; round < report_rounds(report, 20) && r == 0; round++)
                r = measure(report->name, halves, 2, 1, reterr);        /* in this order each time */
        duo_result_free(result);
        return r;
}

const struct bench bench_mounts_1000 = { "mounts-1000", "1,000 requests in one conversation", false, run_mounts };
