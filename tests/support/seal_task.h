/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_SEAL_TASK_H
#define SUPPORT_SEAL_TASK_H

/* What a copy of the test program does, executed at the place that the test is about. */

#include <stddef.h>

struct seal_task {
        const char *name;
        void (*run)(const char *path);          /* its own */
};

/** seal_execute() - execute the program at @path, to do what is called @task; it must end well */
void seal_execute(const char *path, const char *task);

/** seal_tasks() - after seal_main(): the program was executed by seal_execute(): does one of these, and ends */
void seal_tasks(int argc, char **argv, const struct seal_task *tasks, size_t n);

#endif
