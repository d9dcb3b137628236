/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include <pthread.h>
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "kernel/abandoned.h"

/* The one list of the process. A node lies at the low end of the stack of its task, which the task will never reach again. */
struct abandoned {
        struct abandoned *next;
        void *mapping;
        size_t size;
        int task;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct abandoned *first;

/* Reaps what was let go since; returns how many still hang. */
static unsigned sweep(void) {
        struct abandoned **at = &first;
        unsigned n = 0;

        while (*at) {
                struct abandoned one = **at;

                if (process_dead(one.task)) {
                        *at = one.next;
                        task_end(one.task, -1);
                        fd_close(one.task);
                        sys_munmap(one.mapping, one.size);
                } else {
                        at = &(*at)->next;
                        n++;
                }
        }
        return n;
}

void abandoned_add(int task, void *mapping, size_t size, void *lowest) {
        struct abandoned *one = lowest;

        pthread_mutex_lock(&lock);
        sweep();
        *one = (struct abandoned){ .next = first, .mapping = mapping, .size = size, .task = task };
        first = one;
        pthread_mutex_unlock(&lock);
}

PUBLIC unsigned initsync_abandoned(void) {
        unsigned n;

        pthread_mutex_lock(&lock);
        n = sweep();
        pthread_mutex_unlock(&lock);
        return n;
}
