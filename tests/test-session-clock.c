/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"

#include <time.h>
#include "kernel/syscalls.h"

/*
 * Somebody sets the clock by a day in the middle of a conversation (A58). Here it is set for this program alone: the C library's
 * clock_gettime() is ours.
 */

#define DAY 86400

static time_t step;

int clock_gettime(clockid_t clock, struct timespec *ret) {
        int r = sys_clock_gettime(clock, ret);

        if (r == 0 && clock == CLOCK_REALTIME)
                ret->tv_sec += step;
        errno = r < 0 ? -r : errno;
        return r < 0 ? -1 : 0;
}

static void test_the_clock_is_ours(void **state) {
        struct timespec before, after;

        (void)state;
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
        step = DAY;
        assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
        step = 0;
        assert_true(after.tv_sec >= before.tv_sec + DAY);
        assert_int_equal(clock_gettime(12345, &after), -1);
        assert_int_equal(errno, EINVAL);
}

/* Nothing is late because of it, as is looked at when the first second is over. */
static void test_a_day_ahead(void **state) {
        static const char *const script[] = { "~1300", BARE_HOOKS, "<" BARE_HOOKS_DONE, "~100", BARE_READY, "<" BARE_RUN, NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.work_ms = 5000;
        duo_start(&duo, bare_child, (void *)script);
        step = DAY;
        duo_run(&duo);
        step = 0;
        duo_good(&duo);
        duo_end(&duo);
}

static int silent(int socket, void *arg) {
        char packet[64];

        (void)arg;
        return bare_receive(socket, packet, sizeof(packet), NULL) >= 0 ? 0 : 1;
}

/* And nothing waits for a day more. */
static void test_a_day_back(void **state) {
        struct duo duo;
        struct pollfd one;
        int64_t start;

        (void)state;
        duo_init(&duo);
        duo.options.timeout_ms = 300;
        duo_start(&duo, silent, NULL);
        step = -DAY;
        start = duo_now();
        one = (struct pollfd){ .fd = initsync_parent_get_fd(duo.parent), .events = POLLIN };
        do {
                poll(&one, 1, 100);
                duo.result = initsync_parent_dispatch(duo.parent, &duo.error);
        } while (duo.result == 1 && duo_now() - start < 3000);
        step = 0;
        duo_failed(&duo, -ETIMEDOUT, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "the child sent no first message in time");
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_the_clock_is_ours),
                left_test(test_a_day_ahead),
                left_test(test_a_day_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
