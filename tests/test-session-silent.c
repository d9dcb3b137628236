/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"
#include "support/place.h"
#include "support/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A child that says nothing, does not listen, is stopped, or will not die. */

static int may_mount;
static int detached = -1;

static int serve_tmpfs(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->source_fd = detached;
        return 0;
}

static const struct {
        const char *script[8];
        int step;
        const char *text;
        int needs_mount;
} silences[] = {
        { { NULL }, INITSYNC_STEP_MOUNTS, "the child sent no first message in time", 0 },
        { { BARE_MOUNT("/"), "<" BARE_MOUNT_FD, "<fd", NULL }, INITSYNC_STEP_MOUNTS, "the whole conversation took too long",
          1 },
        { { BARE_HOOKS, "<" BARE_HOOKS_DONE, NULL }, INITSYNC_STEP_PIVOT, "the child was silent for longer", 0 },
        { { BARE_HOOKS, NULL }, INITSYNC_STEP_PIVOT, "the child was silent for longer", 0 },
        { { BARE_READY, "<" BARE_RUN, NULL }, INITSYNC_STEP_RUN, "the child was silent for longer", 0 },
        { { BARE_READY, NULL }, INITSYNC_STEP_RUN, "the child was silent for longer", 0 },
};

#define SILENCES (sizeof(silences) / sizeof(silences[0]))

static int then_silent(int socket, void *arg) {
        if (bare_play(socket, arg) < 0)
                return 1;
        for (;;)
                pause();
}

static int then_stopped(int socket, void *arg) {
        if (bare_play(socket, arg) < 0)
                return 1;
        raise(SIGSTOP);
        for (;;)
                pause();
}

/* @limit: of all three kinds; grace is 100 ms, and a stopped child is killed as any other. */
static void silent(int (*run)(int, void *), int limit, const char *addition) {
        struct duo duos[SILENCES];
        size_t i;

        for (i = 0; i < SILENCES; i++) {
                duo_init(&duos[i]);
                duos[i].options.timeout_ms = duos[i].options.work_ms = limit;
                duos[i].options.budget_ms = limit + 100;
                duos[i].on_allow = serve_tmpfs;
                duo_start(&duos[i], run, (void *)silences[i].script);
                if (silences[i].needs_mount && !may_mount)
                        duos[i].answers[DUO_ALLOW] = -ETIMEDOUT;
        }
        duo_all(duos, SILENCES);
        for (i = 0; i < SILENCES; i++) {
                if (!silences[i].needs_mount || may_mount) {
                        duo_failed(&duos[i], -ETIMEDOUT, INITSYNC_STAGE_PEER, silences[i].step, silences[i].text);
                        assert_non_null(strstr(duos[i].error.text, addition));
                        assert_int_equal(duos[i].error.status, SIGKILL);
                        assert_true(duos[i].took_ms >= limit && duos[i].took_ms < limit + 1000);
                        assert_int_equal(duos[i].calls[DUO_KILL], 0);
                }
                duo_end(&duos[i]);
        }
}

static void test_silent(void **state) {
        (void)state;
        silent(then_silent, 250, "");
}

static void test_stopped(void **state) {
        (void)state;
        silent(then_stopped, 1300, "(the child is stopped)");
}

/* With no limit nothing of it is a failure. */
static void test_no_limit(void **state) {
        static const char *const script[] = { "~700", BARE_HOOKS, "<" BARE_HOOKS_DONE, "~100", BARE_READY, "<" BARE_RUN,
                                              "~100", NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.timeout_ms = duo.options.work_ms = duo.options.budget_ms = INITSYNC_NO_LIMIT;
        duo_start(&duo, bare_child, (void *)script);
        assert_true(initsync_parent_timeout_ms(duo.parent) <= 1000);    /* only the next look at it */
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
}

/* The child's own work is not the conversation's time: procHooksDone to procReady and procRun to the end do not count. */
static void test_budget_pauses(void **state) {
        static const char *const script[] = { BARE_HOOKS, "<" BARE_HOOKS_DONE, "~500", BARE_READY, "<" BARE_RUN, "~500",
                                              NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.budget_ms = duo.options.timeout_ms = 300;
        duo_start(&duo, bare_child, (void *)script);
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
}

/* Something valid now and then keeps no conversation alive for ever (A19). */
static int drips(int socket, void *arg) {
        static const char *const script[] = { BARE_MOUNT("/"), "<" BARE_MOUNT_FD, "<fd", "~60", NULL };
        int i;

        (void)arg;
        for (i = 0; i < 100; i++)
                if (bare_play(socket, script) < 0)
                        return 1;
        return 0;
}

/* Requests without end and not a single look at the answers (A17). */
static int never_reads(int socket, void *arg) {
        int i;

        (void)arg;
        for (i = 0; i < 1000; i++)
                if (bare_send(socket, BARE_MOUNT("/")) < 0)
                        return 1;
        for (;;)
                pause();
}

static void test_answers_not_taken(void **state) {
        struct duo duos[2];
        int i;

        (void)state;
        if (!may_mount)
                skip();
        for (i = 0; i < 2; i++) {
                duo_init(&duos[i]);
                duos[i].on_allow = serve_tmpfs;
                duos[i].options.timeout_ms = i ? 400 : 5000;
                duos[i].options.budget_ms = i ? 5000 : 500;
                duo_start(&duos[i], i ? never_reads : drips, NULL);
        }
        duo_all(duos, 2);
        duo_failed(&duos[0], -ETIMEDOUT, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "the whole conversation took too long");
        assert_true(duos[0].took_ms >= 500 && duos[0].took_ms < 1500);
        assert_true(duos[0].calls[DUO_ALLOW] > 3);
        duo_failed(&duos[1], -ETIMEDOUT, INITSYNC_STAGE_MOUNT, INITSYNC_STEP_MOUNTS,
                   "/ was not made, or not taken by the child, in time");
        assert_true(duos[1].took_ms >= 400 && duos[1].took_ms < 1500);
        assert_int_equal(duos[1].error.request, duos[1].n_events ? duos[1].error.request : -1);
        assert_true(duos[1].error.request > 32);
        duo_end(&duos[0]);
        duo_end(&duos[1]);
}

/* It lives, it talks, it has closed its ears. */
static int deaf(int socket, void *arg) {
        shutdown(socket, SHUT_RD);
        if (bare_play(socket, arg) < 0)
                return 1;
        for (;;)
                pause();
}

static void test_closed_reading_half(void **state) {
        static const char *const hooks[] = { BARE_HOOKS, NULL };
        static const char *const ready[] = { BARE_READY, NULL };
        static const char *const mount[] = { BARE_MOUNT("/"), NULL };
        const char *const *scripts[] = { hooks, ready, mount };
        static const int steps[] = { INITSYNC_STEP_HOOKS, INITSYNC_STEP_READY, INITSYNC_STEP_MOUNTS };
        struct duo duos[3];
        size_t i, n = may_mount ? 3 : 2;

        (void)state;
        for (i = 0; i < n; i++) {
                duo_init(&duos[i]);
                duos[i].on_allow = serve_tmpfs;
                duos[i].options.timeout_ms = 400;
                duo_start(&duos[i], deaf, (void *)scripts[i]);
        }
        duo_all(duos, n);
        for (i = 0; i < n; i++) {
                duo_failed(&duos[i], -ETIMEDOUT, INITSYNC_STAGE_PEER, steps[i], "the child does not take its answer");
                assert_true(duos[i].took_ms >= 400 && duos[i].took_ms < 1500);
                duo_end(&duos[i]);
        }
}

/* ---- a child that cannot be killed: SIGKILL by its pidfd has no effect in the embedder, a process of its own ---- */

static int kill_otherwise(struct duo *duo) {
        return process_signal(duo->pid, SIGKILL);
}

static int embedder(int socket, void *arg) {
        static const char *const script[] = { NULL };
        struct duo duos[2];
        int i;

        (void)socket;
        (void)arg;
        BARE_CHECK(filter_kills_nobody() >= 0);
        for (i = 0; i < 2; i++) {
                duo_init(&duos[i]);
                duos[i].options.timeout_ms = 100;
                duos[i].options.work_ms = 100;
                duos[i].on_kill = i ? NULL : kill_otherwise;
                duo_start(&duos[i], then_silent, (void *)script);
        }
        duo_all(duos, 2);
        for (i = 0; i < 2; i++) {
                BARE_CHECK(duos[i].result == -ETIMEDOUT && duos[i].calls[DUO_KILL] == 1);
                BARE_CHECK(strstr(duos[i].error.text, "no first message"));
                BARE_CHECK(initsync_parent_dispatch(duos[i].parent, NULL) == -ETIMEDOUT && duos[i].calls[DUO_KILL] == 1);
        }
        /* silence, grace, then one second of the kernel's own, and four more */
        BARE_CHECK(duos[0].took_ms >= 1150 && duos[0].took_ms < 2200 && duos[0].error.status == SIGKILL);
        BARE_CHECK(duos[1].took_ms >= 5150 && duos[1].took_ms < 6200 && duos[1].error.status == -1);
        BARE_CHECK(strstr(duos[1].error.text, "(the child is still there 5 s after SIGKILL)"));
        process_signal(duos[1].pid, SIGKILL);
        duo_end(&duos[0]);
        duo_end(&duos[1]);
        return 0;
}

static void test_will_not_die(void **state) {
        int status, pid = duo_fork(embedder, 2, NULL, NULL, 0);

        (void)state;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_silent),
                left_test(test_stopped),
                left_test(test_no_limit),
                left_test(test_budget_pauses),
                left_test(test_answers_not_taken),
                left_test(test_closed_reading_half),
                left_test(test_will_not_die),
        };

        may_mount = place_enter() &&
                initsync_feature("open_tree_attr") == 1;   /* the clone of a detached mount: Linux 6.15 */
        if (may_mount)
                detached = place_tmpfs("proof");
        may_mount = detached >= 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
