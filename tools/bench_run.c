/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "bench.h"
#include "bench_bundle.h"
#include "bench_runtime.h"
#include "say.h"

#define SOURCE BENCH_PLACE "/data"
#define CGROUPS "/sys/fs/cgroup"
#define MAPPED BENCH_PLACE "/bundle"
#define PLAIN BENCH_PLACE "/bundle-plain"       /* without the id-mapped bind: for those who cannot do it */

enum { OURS, OURS_PLAIN, CRUN, RUNC, ALONE, N_RUNTIMES };

struct field {
        struct runtime runtimes[N_RUNTIMES];
        int takes_part[N_RUNTIMES];
        int crun_maps;                  /* crun runs the bundle with the id-mapped bind */
};

/* crun refuses a mixture of both kinds of control groups, even where it shall use none: in this namespace there is one kind. */
static void one_kind_of_cgroups(void) {
        struct statfs fs;

        if (statfs(CGROUPS, &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC)
                mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
}

static int make_field(struct field *field, struct report *report, struct initsync_error *reterr) {
        int i, r = mkdir(SOURCE, 0755) < 0 && errno != EEXIST ? fault_call(reterr, -errno, "mkdir", SOURCE) : 0;

        if (r == 0)
                r = bundle_make(MAPPED, SOURCE, reterr);
        if (r == 0)
                r = bundle_make(PLAIN, NULL, reterr);
        if (r < 0)
                return r;
        one_kind_of_cgroups();
        runtime_ours(&field->runtimes[OURS], MAPPED);
        runtime_ours(&field->runtimes[OURS_PLAIN], PLAIN);
        runtime_crun(&field->runtimes[CRUN], MAPPED);
        runtime_runc(&field->runtimes[RUNC], PLAIN);
        runtime_alone(&field->runtimes[ALONE], PLAIN "/rootfs/true");
        for (i = 0; i < N_RUNTIMES; i++) {
                r = runtime_try(&field->runtimes[i], report, reterr);
                if (r < 0)
                        return r;
                field->takes_part[i] = r;
        }
        if (!field->takes_part[OURS] || !field->takes_part[OURS_PLAIN])
                return fault(reterr, -ECHILD, "%s", report->notes[report->n_notes - 1]);
        field->crun_maps = field->takes_part[CRUN];
        if (!field->crun_maps) {
                runtime_crun(&field->runtimes[CRUN], PLAIN);
                r = field->takes_part[CRUN] = runtime_try(&field->runtimes[CRUN], report, reterr);
        }
        return r < 0 ? r : 0;
}

/* No program can be made for the container on this architecture: that is no failure of the bench's. */
static int left_out(struct report *report, int r, const struct initsync_error *error) {
        if (r != -EOPNOTSUPP)
                return r;
        snprintf(report->skipped, sizeof(report->skipped), "%.250s", error->text);
        return 0;
}

static int run(struct report *report, struct initsync_error *reterr) {
        static struct field field;
        static const char *const names[N_RUNTIMES] = { "ours, with an id-mapped bind", "ours, without", "crun",
                                                       "runc, without the bind", "the container's program alone" };
        struct contender contenders[N_RUNTIMES];
        struct series *series[N_RUNTIMES] = { NULL };
        int i, n = 0, r = make_field(&field, report, reterr);

        if (r < 0)
                return left_out(report, r, reterr);
        for (i = 0; i < N_RUNTIMES; i++) {
                if (!field.takes_part[i])
                        continue;
                series[i] = report_series(report, "ms", "%s", names[i]);
                contenders[n++] = (struct contender){ series[i], runtime_once, &field.runtimes[i], NULL, 3, 0, 1e6 };
        }
        if (series[CRUN])
                report_ratio(report, series[field.crun_maps ? OURS : OURS_PLAIN], series[CRUN], AT_MOST, 0.55, "ours / crun");
        if (series[RUNC])
                report_ratio(report, series[OURS_PLAIN], series[RUNC], AT_MOST, 0.2, "ours / runc, both without the bind");
        return measure(report->name, contenders, (size_t)n, report_rounds(report, 40), reterr);
}

const struct bench bench_run = { "run", "one OCI bundle, a static true, from process to process", true, run };

/* ---- many ---- */

#define MANY 200
#define AT_ONCE 8

struct many {
        struct runtime *runtime;
        unsigned n;
};

static int64_t do_many(void *data, struct initsync_error *reterr) {
        const struct many *many = data;

        return runtime_many(many->runtime, many->n, AT_ONCE, reterr);
}

static int64_t do_memory(void *data, struct initsync_error *reterr) {
        return runtime_memory(((const struct many *)data)->runtime, reterr);
}

static int run_many(struct report *report, struct initsync_error *reterr) {
        static struct field field;
        struct series *rate[2] = { NULL }, *memory[2] = { NULL };
        struct contender contenders[4];
        struct many many[2];
        unsigned count = report->quick ? AT_ONCE : MANY;
        int i, n = 0, r = make_field(&field, report, reterr);

        if (r < 0)
                return left_out(report, r, reterr);
        for (i = 0; i < 2; i++) {
                struct runtime *runtime = &field.runtimes[i ? CRUN : field.crun_maps ? OURS : OURS_PLAIN];

                if (i && !field.takes_part[CRUN])
                        break;
                many[i] = (struct many){ runtime, count };
                rate[i] = report_series(report, "ms", "%s, each of %u, %d at a time", runtime->name, count, AT_ONCE);
                memory[i] = report_series(report, "KiB", "%s, peak memory of one of its processes", runtime->name);
                contenders[n++] = (struct contender){ rate[i], do_many, &many[i], NULL, 1, 0, 1e6 * count };
                contenders[n++] = (struct contender){ memory[i], do_memory, &many[i], NULL, 1, 0, 1 };
        }
        if (rate[1]) {
                report_ratio(report, rate[1], rate[0], AT_LEAST, 1.6, "rate of ours / of crun");
                report_ratio(report, memory[0], memory[1], AT_MOST, 1, "memory of ours / of crun");
        }
        return measure(report->name, contenders, (size_t)n, report_rounds(report, 10), reterr);
}

const struct bench bench_run_many = { "run-many", "200 containers, 8 at a time", true, run_many };
