/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/left.h"

#include <signal.h>
#include <sys/wait.h>
#include "hook.h"
#include "reap.h"
#include "support/duo.h"
#include "support/process.h"

/* What a helper process of the tool's can do to it when a process of the container's, of the same user, traces or stops it. */

#define KEEPER_MS 3000          /* as in tools/hook.c */
#define SLACK_MS 2000           /* with what a killed process takes to be gone */

static const struct hook hook = { .path = "/hook", .timeout = 1 };

static int ends(void) {
        return 7;
}

/* As if somebody stopped it again and again. */
static int stops(void) {
        while (raise(SIGSTOP) == 0)
                continue;
        return 1;
}

static int stops_once(void) {
        raise(SIGSTOP);
        return 7;
}

static pid_t start(int (*body)(void)) {
        int pid = process_fork();

        if (pid == 0)
                _exit(body());
        return pid;
}

static struct hook_run run_of(int (*body)(void), int *ret_report) {
        int lifeline[2], report[2];

        assert_int_equal(pipe2(lifeline, O_CLOEXEC), 0);
        assert_int_equal(pipe2(report, O_CLOEXEC), 0);
        close(lifeline[0]);
        *ret_report = report[1];
        return (struct hook_run){ start(body), lifeline[1], report[0] };
}

static int result_of(struct hook_report report, struct initsync_error *reterr) {
        int to, r;
        struct hook_run run = run_of(ends, &to);

        assert_int_equal(write(to, &report, sizeof(report)), sizeof(report));
        close(to);
        r = hook_result(&run, &hook, reterr);
        assert_int_equal(run.keeper, 0);
        return r;
}

static void test_reports(void **state) {
        struct initsync_error error;

        (void)state;
        assert_int_equal(result_of((struct hook_report){ .end = HOOK_EXITED }, &error), 0);
        assert_int_equal(result_of((struct hook_report){ .end = HOOK_EXITED, .value = 3, .n = 2, .output = "no" }, &error), -ECANCELED);
        assert_string_equal(error.text, "/hook: exit status 3: no");
        assert_int_equal(result_of((struct hook_report){ .end = HOOK_NOT_RUN, .call = HOOK_EXECVE, .value = ENOENT }, &error), -ENOENT);
}

static void test_false_reports(void **state) {
        struct hook_report reports[] = {
                { .end = HOOK_EXITED, .value = 1, .n = HOOK_OUTPUT_MAX + 1 },
                { .end = HOOK_EXITED, .value = 1, .n = SIZE_MAX },
                { .end = (enum hook_end)99 },
                { .end = (enum hook_end)-1 },
                { .end = HOOK_NOT_RUN, .value = 1, .call = (enum hook_call)5 },
                { .end = HOOK_NOT_RUN, .value = 1, .call = (enum hook_call)-1 },
        };
        struct initsync_error error;
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
                assert_int_equal(result_of(reports[i], &error), -ECANCELED);
                assert_string_equal(error.text, "/hook: the process that watches over it was killed");
        }
}

static void expect_end(int64_t since, int most) {
        int ms = (int)(duo_now() - since);

        assert_in_range(ms, 0, most + SLACK_MS);
        assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
}

/* SIGSTOP of what watches over a hook: with its report, and without. */
static void test_stopped(void **state) {
        struct hook_report report = { .end = HOOK_EXITED };
        struct initsync_error error;
        struct hook_run run;
        int64_t start_ms;
        int to;

        (void)state;
        run = run_of(stops, &to);
        assert_int_equal(write(to, &report, sizeof(report)), sizeof(report));
        close(to);
        start_ms = duo_now();
        assert_int_equal(hook_result(&run, &hook, &error), 0);
        expect_end(start_ms, KEEPER_MS);

        run = run_of(stops, &to);
        start_ms = duo_now();
        hook_kill(&run);
        close(to);
        expect_end(start_ms, KEEPER_MS);
}

static void test_reap(void **state) {
        int64_t start_ms;
        int status;

        (void)state;
        assert_true(reap(start(ends), 60000, &status));
        assert_int_equal(WEXITSTATUS(status), 7);
        assert_true(reap(start(stops_once), 60000, &status));
        assert_int_equal(WEXITSTATUS(status), 7);
        start_ms = duo_now();
        assert_false(reap(start(stops), 200, &status));
        expect_end(start_ms, 200);
        /* Where somebody else reaps all. */
        signal(SIGCHLD, SIG_IGN);
        assert_true(reap(start(ends), 60000, &status));
        signal(SIGCHLD, SIG_DFL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_reports),
                left_test(test_false_reports),
                left_test(test_stopped),
                left_test(test_reap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
