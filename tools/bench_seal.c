/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include "bench.h"
#include "bench_sealer.h"

#define MORE (16 << 20)

struct act {
        struct sealer *sealer;
        enum sealer_order order;
};

static int64_t perform(void *data, struct initsync_error *reterr) {
        const struct act *act = data;

        return sealer_do(act->sealer, act->order, reterr);
}

static const char *const names[SEALER_N_ORDERS] = {
        [SEALER_OVERLAY] = "set-up, overlay", [SEALER_BARE_OVERLAY] = "floor: the calls of that alone",
        [SEALER_MEMFD] = "set-up, memfd", [SEALER_BARE_MEMFD] = "floor: the calls of that alone",
        [SEALER_EXEC] = "fork and exec, not sealed", [SEALER_EXEC_OVERLAY] = "fork and exec, sealed by an overlay",
        [SEALER_EXEC_MEMFD] = "fork and exec, sealed in memory",
        [SEALER_BOTH_OVERLAY] = "fork, set-up and exec, overlay", [SEALER_BOTH_BARE_OVERLAY] = "floor: the calls of that alone",
        [SEALER_BOTH_MEMFD] = "fork, set-up and exec, memfd",
};

static void compare(struct report *report, struct series *const *small, struct series *const *large) {
        report_ratio(report, small[SEALER_OVERLAY], small[SEALER_BARE_OVERLAY], AT_MOST, 1.3, "set-up by an overlay / floor");
        report_ratio(report, large[SEALER_OVERLAY], small[SEALER_OVERLAY], AT_MOST, 1.5, "the same, 16 MiB more / as it is");
        report_ratio(report, small[SEALER_EXEC_OVERLAY], small[SEALER_EXEC], AT_MOST, 1.05, "exec, sealed by an overlay / not");
        report_ratio(report, small[SEALER_BOTH_OVERLAY], small[SEALER_EXEC], AT_MOST, 1.15,
                     "set-up by an overlay and exec / exec");
        report_ratio(report, small[SEALER_BOTH_OVERLAY], small[SEALER_BOTH_BARE_OVERLAY], AT_MOST, 1.15,
                     "set-up by an overlay and exec / floor");
        report_ratio(report, small[SEALER_MEMFD], small[SEALER_BARE_MEMFD], AT_MOST, 1.3, "set-up in memory / floor");
        report_ratio(report, small[SEALER_EXEC_MEMFD], small[SEALER_EXEC], NO_BOUND, 0, "exec, sealed in memory / not");
        report_ratio(report, small[SEALER_BOTH_MEMFD], small[SEALER_EXEC], NO_BOUND, 0, "set-up in memory and exec / exec");
        report_ratio(report, large[SEALER_MEMFD], small[SEALER_MEMFD], NO_BOUND, 0, "set-up in memory, 16 MiB more / as it is");
}

static int run(struct report *report, struct initsync_error *reterr) {
        struct sealer sealers[2] = { SEALER_NONE, SEALER_NONE };
        struct series *series[2][SEALER_N_ORDERS];
        struct act acts[2 * SEALER_N_ORDERS];
        struct contender contenders[2 * SEALER_N_ORDERS];
        size_t size, n = 0;
        int order, r = 0;

        for (size = 0; size < 2 && r >= 0; size++) {
                snprintf(sealers[size].path, sizeof(sealers[size].path), BENCH_PLACE "/sealer-%zu", size);
                r = sealer_start(&sealers[size], size * MORE, reterr);
                for (order = 0; order < SEALER_N_ORDERS; order++, n++) {
                        series[size][order] = report_series(report, "us", "%s%s", names[order], size ? ", 16 MiB more" : "");
                        acts[n] = (struct act){ &sealers[size], (enum sealer_order)order };
                        contenders[n] = (struct contender){ series[size][order], perform, &acts[n], NULL, 5, 0, 0 };
                }
        }
        compare(report, series[0], series[1]);
        if (r >= 0)
                r = measure(report->name, contenders, n, report_rounds(report, 40), reterr);
        sealer_end(&sealers[0]);
        sealer_end(&sealers[1]);
        report_note(report, "of a copy of this program, which each exec executes for its version");
        return r;
}

const struct bench bench_seal = { "seal", "the runtime's executable, sealed and executed", true, run };
