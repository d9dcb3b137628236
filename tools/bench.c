/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "bench.h"
#include "bench_place.h"
#include "bench_sealer.h"
#include "say.h"

static const struct bench *const benches[] = {
        &bench_userns, &bench_userns_cached, &bench_request, &bench_requests_32, &bench_plain, &bench_session, &bench_seal,
        &bench_chown, &bench_run, &bench_run_many, &bench_sessions_1000, &bench_mounts_1000,
};
enum { N_BENCHES = sizeof(benches) / sizeof(benches[0]) };

struct wanted {
        bool json, list, check, quick, help;
        const struct bench *only;
};

static int find(const char *name, struct wanted *wanted) {
        size_t i;

        for (i = 0; i < N_BENCHES && !wanted->only; i++)
                if (strcmp(benches[i]->name, name) == 0) {
                        wanted->only = benches[i];
                        return 0;
                }
        say("bench: %s%s; see 'syncdemo bench --list'", wanted->only ? "more than one name: " : "no bench has this name: ", name);
        return -EINVAL;
}

static int parse(int argc, char **argv, struct wanted *wanted) {
        int i;

        for (i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--json") == 0) {
                        wanted->json = true;
                } else if (strcmp(argv[i], "--list") == 0) {
                        wanted->list = true;
                } else if (strcmp(argv[i], "--check") == 0) {
                        wanted->check = true;
                } else if (strcmp(argv[i], "--quick") == 0) {
                        wanted->quick = true;
                } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
                        wanted->help = true;
                } else if (argv[i][0] == '-') {
                        say("bench: unknown option %s; usage: syncdemo bench " BENCH_USAGE, argv[i]);
                        return -EINVAL;
                } else if (find(argv[i], wanted) < 0) {
                        return -EINVAL;
                }
        }
        return 0;
}

static int list(void) {
        size_t i;

        for (i = 0; i < N_BENCHES; i++)
                printf("%-16s %s\n", benches[i]->name, benches[i]->what);
        return 0;
}

/* 1 where a target was missed, else 0; or a negative errno. */
static int run_one(const struct bench *bench, const struct wanted *wanted, struct json_object *to, struct initsync_error *reterr) {
        struct report report = { .name = bench->name, .what = bench->what, .quick = wanted->quick };
        int r = 0, missed;

        if (bench->needs_root && !bench_is_root())
                snprintf(report.skipped, sizeof(report.skipped), "only root can do this");
        else
                r = bench->run(&report, reterr);
        missed = report_missed(&report) > 0;
        if (r < 0)
                fault_in(reterr, "bench %s", bench->name);
        else if (to)
                json_object_array_add(to, report_json(&report));
        else
                report_print(&report);
        fflush(stdout);
        report_clear(&report);
        return r < 0 ? r : missed;
}

static void heading(struct json_object *object) {
        struct utsname kernel = { .release = "" };
        time_t now = time(NULL);
        struct tm when;
        char date[32] = "";

        uname(&kernel);
        if (gmtime_r(&now, &when))
                strftime(date, sizeof(date), "%Y-%m-%d", &when);
        if (!object) {
                printf("libinitsync %s, Linux %s %s, %ld processors, %s%s\n"
                       "Medians, with the tenth and the ninetieth percentile; ratios of what was measured in turns.\n\n",
                       initsync_version(), kernel.release, kernel.machine, sysconf(_SC_NPROCESSORS_ONLN), date,
                       bench_is_root() ? "" : ", as an ordinary user");
                return;
        }
        json_object_object_add(object, "version", json_object_new_string(initsync_version()));
        json_object_object_add(object, "kernel", json_object_new_string(kernel.release));
        json_object_object_add(object, "machine", json_object_new_string(kernel.machine));
        json_object_object_add(object, "processors", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
        json_object_object_add(object, "date", json_object_new_string(date));
        json_object_object_add(object, "root", json_object_new_boolean(bench_is_root()));
}

static int run(const struct wanted *wanted, struct json_object *object, struct initsync_error *reterr) {
        struct json_object *results = object ? json_object_new_array() : NULL;
        int r = place_enter(reterr), missed = 0;
        size_t i;

        if (object)
                json_object_object_add(object, "benches", results);
        if (r < 0)
                return r;
        heading(object);
        for (i = 0; i < N_BENCHES; i++) {
                if (wanted->only && wanted->only != benches[i])
                        continue;
                r = run_one(benches[i], wanted, results, reterr);
                if (r < 0)
                        return r;
                missed += r;
        }
        return missed;
}

int bench_main(int argc, char **argv) {
        struct wanted wanted = { .only = NULL };
        struct json_object *object = NULL;
        struct initsync_error error;
        int r;

        if (argc == 2 && strcmp(argv[1], SEALER_OPTION) == 0)
                return sealer_main();           /* a copy of us, which the bench has started */
        if (parse(argc, argv, &wanted) < 0)
                return 2;
        if (wanted.help) {
                printf("usage: syncdemo bench %s\n\n%s\n", BENCH_USAGE, BENCH_HELP);
                return 0;
        }
        if (wanted.list)
                return list();
        if (wanted.json)
                object = json_object_new_object();
        r = run(&wanted, object, &error);
        if (r < 0)
                say("%s", error.text);
        else if (object)
                printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(object);
        return r < 0 || (r > 0 && wanted.check) ? 1 : 0;
}
