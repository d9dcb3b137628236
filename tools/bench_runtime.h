/* SPDX-License-Identifier: MIT */
#ifndef BENCH_RUNTIME_H
#define BENCH_RUNTIME_H

/* Container runtimes as programs: this one, and rivals that are installed. */

#include "bench_report.h"

struct runtime {
        const char *name;
        char version[128];
        char *argv[12];                 /* up to the container's name, which comes last */
        char id[32];
};

/* runtime_ours(), runtime_crun(), runtime_runc(), runtime_alone(): the container's program without any */
void runtime_ours(struct runtime *runtime, const char *bundle);
void runtime_crun(struct runtime *runtime, const char *bundle);
void runtime_runc(struct runtime *runtime, const char *bundle);
void runtime_alone(struct runtime *runtime, const char *program);

/*
 * runtime_try() - whether it is there and runs its bundle, with a note of its version and command line, or of what it said
 *
 * Return: 1, 0; or a negative errno.
 */
int runtime_try(struct runtime *runtime, struct report *report, struct initsync_error *reterr);

/* runtime_once() - an operation: one container, process to process; @data is a struct runtime */
int64_t runtime_once(void *data, struct initsync_error *reterr);

/* runtime_many() - @n containers, @at_once at a time: nanoseconds */
int64_t runtime_many(struct runtime *runtime, unsigned n, unsigned at_once, struct initsync_error *reterr);

/* runtime_memory() - peak memory of one of its processes, in KiB */
int64_t runtime_memory(struct runtime *runtime, struct initsync_error *reterr);

#endif /* BENCH_RUNTIME_H */
