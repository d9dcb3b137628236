/* SPDX-License-Identifier: MIT */
/* close_elsewhere() where the task that closes gets no processor: the descriptor is closed all the same, only later. */
#include "support/support.h"

#include <initsync.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include "kernel/elsewhere.h"
#include "support/forked.h"

#define BUSY_MS 700             /* several times as long as close_elsewhere() waits */
#define LATER_MS 5000           /* the kernel gives others a little of the time, and all of it in the end */

static atomic_int hogging, hog_ends;

static long milliseconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int be_realtime(int priority) {
        const struct sched_param param = { .sched_priority = priority };

        return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
}

/* Has the one processor to itself, but for the thread that calls close_elsewhere(). */
static void *hog(void *arg) {
        long end = milliseconds() + BUSY_MS;

        (void)arg;
        assert(be_realtime(1) == 0);
        hogging = 1;
        while (milliseconds() < end && !hog_ends)
                continue;
        return NULL;
}

static void no_processor(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pthread_t thread;
        cpu_set_t one;
        long start;

        assert(fd >= 0);
        sched_getaffinity(0, sizeof(one), &one);
        while (CPU_COUNT(&one) > 1) {
                int last = CPU_SETSIZE - 1;

                while (!CPU_ISSET(last, &one))
                        last--;
                CPU_CLR(last, &one);
        }
        assert(sched_setaffinity(0, sizeof(one), &one) == 0);
        if (be_realtime(2) < 0)
                forked_skip("no right to real-time priorities");
        assert(pthread_create(&thread, NULL, hog, NULL) == 0);
        while (!hogging)
                nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        close_elsewhere(fd);
        if (initsync_abandoned() == 0)
                fprintf(stderr, "# the task was not kept from its processor\n");
        hog_ends = 1;
        pthread_join(thread, NULL);
        for (start = milliseconds(); fcntl(fd, F_GETFD) >= 0 || initsync_abandoned() > 0;) {
                assert(milliseconds() - start < LATER_MS);
                nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(no_processor, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-elsewhere", tests, sizeof(tests) / sizeof(tests[0]));
}
