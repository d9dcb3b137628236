/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "session/deadline.h"

#define MS UINT64_C(1000000)
#define NOW (5000 * MS)

static void test_none(void **state) {
        struct deadlines deadlines = { .budget_left = 0 };

        (void)state;
        assert_true(deadline_next(&deadlines) == 0);
        assert_int_equal(deadline_due(&deadlines, UINT64_MAX), DEADLINES);
        deadline_set(&deadlines, DEADLINE_WORK, -1, NOW);
        assert_true(deadline_next(&deadlines) == 0);
        assert_int_equal(deadline_due(&deadlines, UINT64_MAX), DEADLINES);
}

static void test_each(void **state) {
        int kind;

        (void)state;
        for (kind = 0; kind < DEADLINES; kind++) {
                struct deadlines deadlines = { .budget_left = 0 };

                deadline_set(&deadlines, (enum deadline_kind)kind, 10, NOW);
                assert_true(deadline_next(&deadlines) == NOW + 10 * MS);
                assert_int_equal(deadline_due(&deadlines, NOW + 10 * MS - 1), DEADLINES);
                assert_int_equal(deadline_due(&deadlines, NOW + 10 * MS), kind);
                deadline_set(&deadlines, (enum deadline_kind)kind, -1, NOW);    /* "none" takes back what was set */
                assert_true(deadline_next(&deadlines) == 0);
                deadline_set(&deadlines, (enum deadline_kind)kind, 0, NOW);
                assert_int_equal(deadline_due(&deadlines, NOW), kind);
                deadline_clear(&deadlines, (enum deadline_kind)kind);
                assert_int_equal(deadline_due(&deadlines, UINT64_MAX), DEADLINES);
        }
}

static void test_order(void **state) {
        struct deadlines deadlines = { .budget_left = 0 };

        (void)state;
        deadline_set(&deadlines, DEADLINE_LOOK, 1, NOW);
        deadline_set(&deadlines, DEADLINE_BUDGET, 3, NOW);
        deadline_set(&deadlines, DEADLINE_SEND, 2, NOW);
        assert_true(deadline_next(&deadlines) == NOW + MS);
        assert_int_equal(deadline_due(&deadlines, NOW + MS), DEADLINE_LOOK);
        assert_int_equal(deadline_due(&deadlines, NOW + 2 * MS), DEADLINE_SEND);
        assert_int_equal(deadline_due(&deadlines, NOW + 9 * MS), DEADLINE_SEND);
        deadline_clear(&deadlines, DEADLINE_SEND);
        assert_int_equal(deadline_due(&deadlines, NOW + 9 * MS), DEADLINE_BUDGET);
}

/* INT_MAX milliseconds are 2^51 nanoseconds: no wrap in 64 bits. */
static void test_longest(void **state) {
        struct deadlines deadlines = { .budget_left = 0 };

        (void)state;
        deadline_set(&deadlines, DEADLINE_FIRST, INT32_MAX, NOW);
        assert_true(deadline_next(&deadlines) == NOW + INT32_MAX * MS);
}

static void test_budget_pauses(void **state) {
        struct deadlines deadlines = { .budget_left = 0 };

        (void)state;
        deadline_set(&deadlines, DEADLINE_BUDGET, 100, NOW);
        deadline_pause(&deadlines, NOW + 30 * MS);
        assert_int_equal(deadline_due(&deadlines, UINT64_MAX), DEADLINES);
        deadline_pause(&deadlines, NOW + 50 * MS);              /* twice is once */
        deadline_resume(&deadlines, NOW + 1000 * MS);
        assert_true(deadline_next(&deadlines) == NOW + 1070 * MS);
        deadline_resume(&deadlines, NOW + 2000 * MS);
        assert_true(deadline_next(&deadlines) == NOW + 1070 * MS);
        deadline_pause(&deadlines, NOW + 1069 * MS);
        deadline_resume(&deadlines, NOW + 3000 * MS);
        assert_true(deadline_next(&deadlines) == NOW + 3001 * MS);
}

/* A budget that has run out while nobody looked must not become "none" by a pause. */
static void test_budget_overdrawn(void **state) {
        struct deadlines deadlines = { .budget_left = 0 };

        (void)state;
        deadline_set(&deadlines, DEADLINE_BUDGET, 100, NOW);
        deadline_pause(&deadlines, NOW + 100 * MS);
        deadline_resume(&deadlines, NOW + 200 * MS);
        assert_true(deadline_next(&deadlines) != 0);
        assert_int_equal(deadline_due(&deadlines, NOW + 201 * MS), DEADLINE_BUDGET);
}

static void test_no_budget(void **state) {
        struct deadlines deadlines = { .budget_left = 0 };

        (void)state;
        deadline_set(&deadlines, DEADLINE_BUDGET, -1, NOW);
        deadline_pause(&deadlines, NOW);
        deadline_resume(&deadlines, NOW + MS);
        assert_true(deadline_next(&deadlines) == 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_none),
                cmocka_unit_test(test_each),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_longest),
                cmocka_unit_test(test_budget_pauses),
                cmocka_unit_test(test_budget_overdrawn),
                cmocka_unit_test(test_no_budget),
        };

        return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
