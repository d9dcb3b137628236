/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

/*
 * The benches: each measures operations of the library beside their floor, which is the bare system calls without it, and beside
 * rivals, in one run.
 */

#include "bench_report.h"

#define BENCH_PLACE "/mnt"      /* a tmpfs of the bench's own, in a mount namespace of its own */

struct bench {
        const char *name, *what;
        bool needs_root;
        /* Fills @report; a negative errno with @reterr filled when it could not */
        int (*run)(struct report *report, struct initsync_error *reterr);
};

extern const struct bench bench_userns, bench_userns_cached, bench_request, bench_requests_32, bench_plain, bench_session,
        bench_seal, bench_chown, bench_run, bench_run_many, bench_sessions_1000, bench_mounts_1000;

/* The maps that benches use: several extents for root, and what an ordinary user may have */
struct bench_maps {
        struct initsync_idmap extents[5];
        size_t n;
};
const struct bench_maps *bench_maps(void);

/* bench_is_root() - whether this is root of the machine, not of a user namespace that the bench has entered */
bool bench_is_root(void);

/* What 'syncdemo help bench' says */
#define BENCH_USAGE "[NAME] [--json] [--check] [--quick] | --list"
#define BENCH_HELP                                                                                                          \
        "Measures the library beside its floor (the same system calls without it) and beside rivals, in turns.\n"           \
        "\n"                                                                                                                \
        "  NAME                 one bench; all without it\n"                                                                \
        "  --json               the result as one JSON object\n"                                                            \
        "  --check              exit status 1 when a target is missed\n"                                                    \
        "  --quick              few rounds: shows that all of it works, its figures say little\n"                           \
        "  --list               the names\n"                                                                                \
        "\n"                                                                                                                \
        "A target that is missed is printed as such, and is no failure without --check. Everything happens in a mount namespace\n" \
        "and on a tmpfs of its own; nothing is left behind. crun and runc take part where they are installed."

int bench_main(int argc, char **argv);

#endif /* BENCH_H */
