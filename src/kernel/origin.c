/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include "kernel/origin.h"
#include "kernel/syscalls.h"

/* A page that the kernel gives to a forked process empty (MADV_WIPEONFORK). */
static unsigned long *page;
static int without;                     /* it could not be had: then always the pid, as one object must hear one answer */
static unsigned long generation;        /* inherited by a forked process, which then takes the next */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void make_page(void) {
        void *area = NULL;

        without = 1;
        if (sys_mmap(sizeof(*page), MAP_PRIVATE, &area) < 0)
                return;
        if (sys_madvise(area, sizeof(*page), MADV_WIPEONFORK) == 0)
                __atomic_store_n(&page, area, __ATOMIC_RELEASE);
        else
                sys_munmap(area, sizeof(*page));
}

unsigned long origin(void) {
        unsigned long *at = __atomic_load_n(&page, __ATOMIC_ACQUIRE), number = at ? __atomic_load_n(at, __ATOMIC_RELAXED) : 0;

        if (number)
                return number;
        pthread_mutex_lock(&lock);
        if (!page && !without)
                make_page();
        if (page && !*page)
                __atomic_store_n(page, ++generation, __ATOMIC_RELAXED);
        number = page ? *page : (unsigned long)sys_getpid();
        pthread_mutex_unlock(&lock);
        return number;
}
