/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "base/number.h"

#define POISON UINT64_C(0xdeadbeefdeadbeef)

static const struct {
        const char *text;
        uint64_t max;
        int r;
        uint64_t value;
        const char *rest;
} cases[] = {
        { "0", UINT64_MAX, 0, 0, "" },
        { "0", 0, 0, 0, "" },
        { "1", 0, -ERANGE, 0, "" },
        { "00012", 12, 0, 12, "" },
        { "7rest", 9, 0, 7, "rest" },
        { "7 ", 9, 0, 7, " " },
        { "9", 8, -ERANGE, 0, "" },
        { "9", 9, 0, 9, "" },
        { "9", 10, 0, 9, "" },
        { "10", 9, -ERANGE, 0, "" },
        { "95", 94, -ERANGE, 0, "" },
        { "95", 95, 0, 95, "" },
        { "4294967294", UINT32_MAX, 0, 4294967294u, "" },
        { "4294967295", UINT32_MAX, 0, 4294967295u, "" },
        { "4294967296", UINT32_MAX, -ERANGE, 0, "" },
        { "42949672950", UINT32_MAX, -ERANGE, 0, "" },
        { "18446744073709551615", UINT64_MAX, 0, UINT64_MAX, "" },
        { "18446744073709551616", UINT64_MAX, -ERANGE, 0, "" },
        { "18446744073709551625", UINT64_MAX, -ERANGE, 0, "" },
        { "99999999999999999999999999999999999999999", UINT64_MAX, -ERANGE, 0, "" },
        /* What came after the overflow must not bring the number back into range. */
        { "184467440737095516160", UINT64_MAX, -ERANGE, 0, "" },
        { "300,5", 255, -ERANGE, 0, ",5" },
        { "", 9, -EINVAL, 0, "" },
        { " 1", 9, -EINVAL, 0, " 1" },
        { "+1", 9, -EINVAL, 0, "+1" },
        { "-1", 9, -EINVAL, 0, "-1" },
        { "\t1", 9, -EINVAL, 0, "\t1" },
        { "x", 9, -EINVAL, 0, "x" },
        { "/", 9, -EINVAL, 0, "/" },
        { ":", 9, -EINVAL, 0, ":" },
        { "0x10", UINT64_MAX, 0, 0, "x10" },
        { "1e3", UINT64_MAX, 0, 1, "e3" },
        { "\xd9\xa1", 9, -EINVAL, 0, "\xd9\xa1" },      /* ARABIC-INDIC DIGIT ONE */
};

static void test_reads_exactly(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                const char *at = cases[i].text;
                uint64_t value = POISON;
                int r = number_read(&at, cases[i].max, &value);

                if (r != cases[i].r || strcmp(at, cases[i].rest) != 0 || value != (r < 0 ? POISON : cases[i].value))
                        fail_msg("\"%s\" up to %llu: %d, %llu, rest \"%s\"", cases[i].text, (unsigned long long)cases[i].max,
                                 r, (unsigned long long)value, at);
        }
}

/* Every value round a limit, against arithmetic that cannot overflow. */
static void test_limits(void **state) {
        uint64_t max, value;

        (void)state;
        for (max = 0; max < 130; max++) {
                for (value = 0; value < 1300; value++) {
                        char text[8];
                        const char *at = text;
                        uint64_t got = POISON;

                        snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
                        assert_int_equal(number_read(&at, max, &got), value > max ? -ERANGE : 0);
                        assert_true(got == (value > max ? POISON : value));
                        assert_int_equal(*at, '\0');
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads_exactly),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
