/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"

#include <sched.h>
#include <signal.h>
#include <sys/time.h>

/* A runtime that is interrupted all the time closes what hostile children gave it, all of it. */

#define SESSIONS 40
#define EVERY_US 100

static void on_signal(int number) {
        (void)number;
}

static void signals(int on) {
        struct sigaction action = { .sa_handler = on_signal };  /* no SA_RESTART: calls are to be interrupted */
        const struct itimerval every = { { 0, on ? EVERY_US : 0 }, { 0, on ? EVERY_US : 0 } };

        assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
        assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}

/* On one processor a task that closes runs only when the runtime waits for it. */
static void one_processor(cpu_set_t *ret_before) {
        cpu_set_t one;
        int i;

        assert_int_equal(sched_getaffinity(0, sizeof(*ret_before), ret_before), 0);
        for (i = 0; !CPU_ISSET(i, ret_before); i++)
                ;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static int gives(int socket, void *arg) {
        static const char *const script[] = { BARE_READY, "<" BARE_RUN, "{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":3}",
                                              NULL };
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (bare_play(socket, script) < 0)
                return 1;
        BARE_CHECK(bare_send_fds(socket, "seccomp", 7, fd, (size_t)*(int *)arg) == 0);
        for (;;)
                pause();
}

static void take(int n_fds) {
        struct duo duo;

        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
        duo_start(&duo, gives, &n_fds);
        signals(1);
        duo_run(&duo);
        duo.parent = initsync_parent_free(duo.parent);
        signals(0);
        duo_end(&duo);
        assert_int_equal(duo.result, -EPROTO);
        assert_int_equal(duo.calls[DUO_SECCOMP], 0);
}

static void test_nothing_leaks(void **state) {
        int i, fds = support_fd_count();
        cpu_set_t before;

        (void)state;
        one_processor(&before);
        for (i = 0; i < SESSIONS; i++)
                take(1 + i % 2);
        sched_setaffinity(0, sizeof(before), &before);
        assert_int_equal(support_fd_count(), fds);
        assert_int_equal(initsync_abandoned(), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_nothing_leaks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
