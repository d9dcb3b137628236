/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "wire/turn.h"

#define STEPS (INITSYNC_STEP_FAILED + 1)

/*
 * What may come, and the step that it leads to: written down from the description of the wire, not from src/wire/turn.c.
 */
static int expected(int step, enum turn_from from, enum message_type type) {
        int child = from == TURN_CHILD;

        if (step < INITSYNC_STEP_MOUNTS || step > INITSYNC_STEP_FAILED)
                return -EPROTO;
        if (type == MESSAGE_ERROR)              /* by anyone, at any time before the close, and nothing follows it */
                return step == INITSYNC_STEP_DONE || step == INITSYNC_STEP_FAILED ? -EPROTO : INITSYNC_STEP_FAILED;
        switch (step) {
        case INITSYNC_STEP_MOUNTS: /* (procMountPlease → procMountFd)* → procHooks, or procReady without hooks */
                if (child && type == MESSAGE_MOUNT_PLEASE)
                        return INITSYNC_STEP_MOUNTS;
                if (!child && type == MESSAGE_MOUNT_FD)
                        return INITSYNC_STEP_MOUNTS;
                if (child && type == MESSAGE_HOOKS)
                        return INITSYNC_STEP_HOOKS;
                return child && type == MESSAGE_READY ? INITSYNC_STEP_READY : -EPROTO;
        case INITSYNC_STEP_HOOKS:
                return !child && type == MESSAGE_HOOKS_DONE ? INITSYNC_STEP_PIVOT : -EPROTO;
        case INITSYNC_STEP_PIVOT:
                return child && type == MESSAGE_READY ? INITSYNC_STEP_READY : -EPROTO;
        case INITSYNC_STEP_READY:
                return !child && type == MESSAGE_RUN ? INITSYNC_STEP_RUN : -EPROTO;
        case INITSYNC_STEP_RUN:
                if (child && type == MESSAGE_SECCOMP)
                        return INITSYNC_STEP_SECCOMP;
                return child && type == MESSAGE_EOF ? INITSYNC_STEP_DONE : -EPROTO;
        case INITSYNC_STEP_SECCOMP:
                return !child && type == MESSAGE_SECCOMP_DONE ? INITSYNC_STEP_EXEC : -EPROTO;
        case INITSYNC_STEP_EXEC:
                return child && type == MESSAGE_EOF ? INITSYNC_STEP_DONE : -EPROTO;
        default:
                return -EPROTO;
        }
}

static void test_every_pair(void **state) {
        int step, from, type, allowed = 0;

        (void)state;
        for (step = -2; step < STEPS + 2; step++) {
                for (from = TURN_CHILD; from <= TURN_PARENT; from++) {
                        for (type = 0; type <= MESSAGE_EOF; type++) {
                                int r = turn_next(step, (enum turn_from)from, (enum message_type)type);

                                if (r != expected(step, (enum turn_from)from, (enum message_type)type))
                                        fail_msg("step %s, %s from the %s gives %d", initsync_step_name(step),
                                                 message_name((enum message_type)type), from ? "parent" : "child", r);
                                allowed += r >= 0;
                        }
                }
        }
        assert_int_equal(allowed, 11 + 7 * 2);          /* the arrows of the drawing, and procError at seven steps */
}

static const enum message_type childs[] = { MESSAGE_MOUNT_PLEASE, MESSAGE_HOOKS, MESSAGE_READY,
                                            MESSAGE_SECCOMP,      MESSAGE_ERROR, MESSAGE_EOF };

/* The parent answers at once, as it does for a child that waits for each answer. */
static int answer(int step) {
        int type;

        for (type = 0; type < MESSAGE_ERROR; type++) {
                int next = turn_next(step, TURN_PARENT, (enum message_type)type);

                if (next >= 0)
                        return next;
        }
        return step;
}

/*
 * Six letters, four places: M* H? R then S? E, cut off anywhere, or cut off by X. The oracle knows no steps, only what was
 * said before.
 */
static int oracle(const int *said, int n) {
        int i, hooks = 0, ready = 0, seccomp = 0, over = 0;

        for (i = 0; i < n; i++) {
                if (over)
                        return 0;
                switch (childs[said[i]]) {
                case MESSAGE_MOUNT_PLEASE:
                        if (hooks || ready)
                                return 0;
                        break;
                case MESSAGE_HOOKS:
                        if (hooks++ || ready)
                                return 0;
                        break;
                case MESSAGE_READY:
                        if (ready++)
                                return 0;
                        break;
                case MESSAGE_SECCOMP:
                        if (!ready || seccomp++)
                                return 0;
                        break;
                case MESSAGE_ERROR:
                        over = 1;
                        break;
                default:
                        if (!ready)
                                return 0;
                        over = 1;
                }
        }
        return 1;
}

static void test_every_sequence(void **state) {
        int number, taken = 0, i;

        (void)state;
        for (number = 0; number < 6 * 6 * 6 * 6; number++) {
                int said[] = { number % 6, number / 6 % 6, number / 36 % 6, number / 216 };
                int step = INITSYNC_STEP_MOUNTS;

                for (i = 0; i < 4; i++) {
                        step = turn_next(step, TURN_CHILD, childs[said[i]]);
                        assert_int_equal(step >= 0, oracle(said, i + 1));
                        if (step < 0)
                                break;
                        step = answer(step);
                }
                taken += i == 4;
        }
        /*
         * MMMM MMMH MMMR MMHR MMRS MHRS do not end; MMM MMH MMR MHR MRS HRS are followed by procError, the last four of
         * them by end-of-file.
         */
        assert_int_equal(taken, 6 + 6 + 4);
}

static void test_expected_words(void **state) {
        char text[256], small[8];

        (void)state;
        turn_expected(INITSYNC_STEP_MOUNTS, TURN_CHILD, text, sizeof(text));
        assert_string_equal(text, "procMountPlease, procHooks, procReady");
        turn_expected(INITSYNC_STEP_RUN, TURN_CHILD, text, sizeof(text));
        assert_string_equal(text, "procSeccomp, end-of-file");
        turn_expected(INITSYNC_STEP_RUN, TURN_PARENT, text, sizeof(text));
        assert_string_equal(text, "nothing");
        turn_expected(INITSYNC_STEP_FAILED, TURN_CHILD, text, sizeof(text));
        assert_string_equal(text, "nothing");
        turn_expected(INITSYNC_STEP_MOUNTS, TURN_CHILD, small, sizeof(small));
        assert_string_equal(small, "procMou");
}

static void test_step_names(void **state) {
        static const char *const names[] = { "mounts",      "procHooks", "pivot", "procReady", "procRun",
                                             "procSeccomp", "exec",      "done",  "failed" };
        int i;

        (void)state;
        assert_int_equal(ARRAY_SIZE(names), STEPS);
        for (i = 0; i < STEPS; i++)
                assert_string_equal(initsync_step_name(i), names[i]);
        assert_string_equal(initsync_step_name(-1), "unknown step");
        assert_string_equal(initsync_step_name(STEPS), "unknown step");
        assert_string_equal(initsync_step_name(INT32_MIN), "unknown step");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_pair),
                cmocka_unit_test(test_every_sequence),
                cmocka_unit_test(test_expected_words),
                cmocka_unit_test(test_step_names),
        };

        return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
