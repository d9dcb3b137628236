/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include <pthread.h>
#include <string.h>
#include "kernel/fd.h"
#include "kernel/origin.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "kernel/abandoned.h"

/*
 * The one list of the process. A node lies at the low end of the stack of its task, which the task will never reach again, or among
 * those that are here from the start, so that nothing can fail; never in memory that a forked process shares.
 */
struct abandoned {
        struct abandoned *next;
        void *mapping;
        size_t size;
        int task, used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct abandoned *first, spare[64];
static unsigned long owner;

/* A forked process has a copy of the list, but its parent's tasks are not its own, and their descriptors may be others' by now. */
static void begin(void) {
        unsigned long us = origin();

        pthread_mutex_lock(&lock);
        if (owner != us) {
                first = NULL;
                memset(spare, 0, sizeof(spare));
        }
        owner = us;
}

/* Reaps what was let go since; returns how many are left. */
static unsigned sweep(void) {
        struct abandoned **at = &first;
        unsigned n = 0;

        while (*at) {
                struct abandoned *node = *at, one = *node;

                if (process_dead(one.task) && task_reap(one.task) == 0) {
                        *at = one.next;
                        fd_close(one.task);
                        node->used = 0;
                        if (one.mapping)
                                sys_munmap(one.mapping, one.size);
                } else {
                        at = &(*at)->next;
                        n++;
                }
        }
        return n;
}

static struct abandoned *get_spare(void) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(spare); i++)
                if (!spare[i].used)
                        return &spare[i];
        return NULL;
}

void abandoned_add(int task, void *mapping, size_t size, void *lowest) {
        struct abandoned *one;

        begin();
        sweep();
        one = lowest ? lowest : get_spare();
        if (one) {
                *one = (struct abandoned){ .next = first, .mapping = mapping, .size = size, .task = task, .used = 1 };
                first = one;
        } else {
                fd_close(task);         /* too many to hear of this one again */
        }
        pthread_mutex_unlock(&lock);
}

PUBLIC unsigned initsync_abandoned(void) {
        unsigned n;

        begin();
        n = sweep();
        pthread_mutex_unlock(&lock);
        return n;
}
