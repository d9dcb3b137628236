/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "base/idmap.h"
#include "support/bytes.h"

#define POISON 0xdeadbeef

/* -EUCLEAN stands for no result of the library's. */
static int parse(const char *text, struct initsync_idmap *extents, size_t max, size_t *n, struct initsync_error *error) {
        char *copy = bytes_exact(text, strlen(text) + 1);
        int r;

        memset(extents, 0xab, max * sizeof(*extents));
        memset(error, 0xab, sizeof(*error));
        *n = POISON;
        r = initsync_idmap_parse(copy, extents, max, n, error);
        free(copy);
        if (r < 0 && (*n != POISON || (max && extents[0].inside != 0xabababab) || error->code != r || !error->text[0] ||
                      error->stage != INITSYNC_STAGE_WIRE))
                return -EUCLEAN;
        return r;
}

static void expect(const char *text, int expected) {
        struct initsync_idmap extents[8];
        struct initsync_error error;
        size_t n;
        int r = parse(text, extents, ARRAY_SIZE(extents), &n, &error);

        if (r != expected)
                fail_msg("\"%s\" gives %d instead of %d", text, r, expected);
}

static void test_grammar(void **state) {
        static const char *const wrong[] = {
                "", ",", ":", "::", "0", "0:", "0:0", "0:0:", ":0:1", "0::1", "0:0:1,", ",0:0:1", "0:0:1,,1:1:1", "0:0:1:",
                "0:0:1:0", "0:0:1 ", " 0:0:1", "0 0 1", "0: 0:1", "0:0 :1", "0:0:1\n", "0:0:1;1:1:1", "+0:0:1", "0:+0:1",
                "-0:0:1", "0:0:-1", "0x0:0:1", "0:0:0x1", "0:0:1.0", "0:0:1e1", "a:0:1", "0:b:1", "0:0:c", "0:0:1a",
                "0:0:1,x", "\"0:0:1\"", "0:0:1,\t1:1:1", "0:0:1\xc2\xa0", "\xef\xbc\x90:0:1", "0:0:1,1:1", "0:0:1,1:1:",
                "root:0:1",
                /* Not a number too large, but no number after one that is. */
                "4294967296:x:1", "4294967296",
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(wrong); i++)
                expect(wrong[i], -EINVAL);
        expect("0:0:1", 0);
        expect("00:000:01", 0);
        expect("0:100000:65536", 0);
        expect("0:100000:1000,1000:200000:1,1001:101001:64535", 0);
}

static void test_boundaries(void **state) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { "0:0:0", -EINVAL },
                { "1:1:0", -EINVAL },
                { "4294967294:4294967294:0", -EINVAL },
                { "4294967295:4294967295:0", -EINVAL },
                { "0:0:1", 0 },
                { "-1:0:1", -EINVAL },
                { "0:-1:1", -EINVAL },
                { "0:0:-1", -EINVAL },
                { "2147483647:2147483647:1", 0 },
                { "2147483648:2147483648:1", 0 },
                { "2147483648:0:2147483647", 0 },
                { "2147483648:0:2147483648", -ERANGE },
                { "0:2147483648:2147483647", 0 },
                { "0:2147483648:2147483648", -ERANGE },
                { "4294967294:0:1", 0 },
                { "4294967294:0:2", -ERANGE },
                { "4294967295:0:1", -ERANGE },
                { "4294967296:0:1", -ERANGE },
                { "4295067296:0:1", -ERANGE },
                { "0:4294967294:1", 0 },
                { "0:4294967294:2", -ERANGE },
                { "0:4294967295:1", -ERANGE },
                { "0:4294967296:1", -ERANGE },          /* the kernel would make this host root */
                { "0:4295067296:1", -ERANGE },          /* and this 100000 */
                { "0:8589934592:1", -ERANGE },
                { "0:0:4294967294", 0 },
                { "0:0:4294967295", 0 },                /* ids 0 to 4294967294 */
                { "0:0:4294967296", -ERANGE },
                { "0:0:4294967297", -ERANGE },
                { "1:0:4294967294", 0 },
                { "1:0:4294967295", -ERANGE },
                { "0:1:4294967294", 0 },
                { "0:1:4294967295", -ERANGE },
                { "4294967295:4294967295:4294967295", -ERANGE },
                { "9223372036854775807:0:1", -ERANGE },
                { "9223372036854775808:0:1", -ERANGE },
                { "0:18446744073709551615:1", -ERANGE },
                { "0:18446744073709551616:1", -ERANGE },
                { "0:0:18446744073709551617", -ERANGE },
                { "0:99999999999999999999999999999999:1", -ERANGE },
        };
        size_t i;

        (void)state;
        assert_int_equal(ARRAY_SIZE(cases), 40);
        for (i = 0; i < ARRAY_SIZE(cases); i++)
                expect(cases[i].text, cases[i].r);
}

static void test_values(void **state) {
        struct initsync_idmap extents[2];
        struct initsync_error error;
        size_t n;

        (void)state;
        assert_int_equal(parse("7:8:9,1000:4294967290:5", extents, 2, &n, &error), 0);
        assert_int_equal(n, 2);
        assert_true(extents[0].inside == 7 && extents[0].outside == 8 && extents[0].count == 9);
        assert_true(extents[1].inside == 1000 && extents[1].outside == 4294967290u && extents[1].count == 5);
        assert_int_equal(initsync_idmap_parse("0:0:0", extents, 2, &n, NULL), -EINVAL);
        assert_int_equal(n, 2);
}

/* @n extents of one id, each apart from the next */
static char *many(size_t n) {
        char *text = malloc(n * 12 + 1), *at = text;
        size_t i;

        assert(text);
        *at = '\0';
        for (i = 0; i < n; i++)
                at += sprintf(at, "%s%zu:%zu:1", i ? "," : "", 2 * i, 2 * i);
        return text;
}

static void test_extents(void **state) {
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX + 1];
        struct initsync_error error;
        size_t n;
        char *most = many(INITSYNC_IDMAP_MAX), *over = many(INITSYNC_IDMAP_MAX + 1);

        (void)state;
        assert_int_equal(parse(most, extents, INITSYNC_IDMAP_MAX + 1, &n, &error), 0);
        assert_int_equal(n, INITSYNC_IDMAP_MAX);
        assert_int_equal(parse(most, extents, INITSYNC_IDMAP_MAX, &n, &error), 0);
        assert_int_equal(parse(most, extents, INITSYNC_IDMAP_MAX - 1, &n, &error), -E2BIG);
        bytes_contain(error.text, "339");
        assert_int_equal(parse(over, extents, INITSYNC_IDMAP_MAX + 1, &n, &error), -E2BIG);
        bytes_contain(error.text, "340");
        assert_int_equal(parse("0:0:1", extents, 0, &n, &error), -E2BIG);
        for (n = 0; n <= INITSYNC_IDMAP_MAX; n++)
                extents[n] = (struct initsync_idmap){ 2 * (uint32_t)n, 2 * (uint32_t)n, 1 };
        assert_int_equal(idmap_check(extents, INITSYNC_IDMAP_MAX, "uids", &error), 0);
        assert_int_equal(idmap_check(extents, INITSYNC_IDMAP_MAX + 1, "uids", &error), -E2BIG);
        bytes_contain(error.text, "uids: 341 extents, at most 340 are expected");
        free(most);
        free(over);
}

/* 170 lines of 24 bytes, and one of @last */
static size_t long_map(struct initsync_idmap extents[171], uint32_t inside, uint32_t outside) {
        size_t i;

        for (i = 0; i < 170; i++)
                extents[i] = (struct initsync_idmap){ 4000000000u + 2 * (uint32_t)i, 4000000000u + 2 * (uint32_t)i, 1 };
        extents[170] = (struct initsync_idmap){ inside, outside, 1 };
        return 171;
}

static void test_text(void **state) {
        struct initsync_idmap extents[171];
        struct initsync_error error;
        char *text = malloc(IDMAP_TEXT_MAX);
        size_t n;

        (void)state;
        assert(text);
        n = long_map(extents, 12345, 123456);
        assert_int_equal(idmap_text(extents, n, text), 4095);
        assert_int_equal(strlen(text), 4095);
        assert_memory_equal(text, "4000000000 4000000000 1\n4000000002 4000000002 1\n", 48);
        assert_string_equal(text + 4080, "12345 123456 1\n");
        assert_int_equal(idmap_check(extents, n, "uids", &error), 0);
        n = long_map(extents, 123456, 123456);
        assert_int_equal(idmap_text(extents, n, text), -E2BIG);
        assert_int_equal(idmap_check(extents, n, "uids", &error), -E2BIG);
        bytes_contain(error.text, "uids: 171 extents");
        bytes_contain(error.text, "4095 bytes");
        free(text);
}

static void test_overlap(void **state) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { "0:0:10,10:10:10", 0 },
                { "0:0:10,9:10:10", -EINVAL },          /* inside */
                { "0:0:10,10:9:10", -EINVAL },          /* outside */
                { "10:10:10,0:0:10", 0 },
                { "9:10:10,0:0:10", -EINVAL },
                { "0:0:1,0:1:1", -EINVAL },
                { "0:0:1,1:0:1", -EINVAL },
                { "0:0:100,50:1000:1", -EINVAL },
                { "50:1000:1,0:0:100", -EINVAL },
                { "0:1000:1,1:0:100", 0 },
                { "0:4294967294:1,1:0:1", 0 },          /* the ends of the range do not meet */
                { "0:0:4294967295,0:0:4294967295", -EINVAL },
                { "0:0:1,10:10:1,20:20:1,5:5:6", -EINVAL },
        };
        struct initsync_idmap extents[4];
        struct initsync_error error;
        size_t i, n;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++)
                expect(cases[i].text, cases[i].r);
        assert_int_equal(parse("0:0:10,9:10:10", extents, 4, &n, &error), -EINVAL);
        bytes_contain(error.text, "overlap inside");
        assert_int_equal(parse("0:0:10,10:9:10", extents, 4, &n, &error), -EINVAL);
        bytes_contain(error.text, "overlap outside");
}

static void test_error_texts(void **state) {
        struct initsync_idmap extents[4];
        struct initsync_error error;
        char *longest = bytes_repeat("\x1b\xff", 3000);
        size_t n;

        (void)state;
        parse("0:0:1,5:5:0", extents, 4, &n, &error);
        bytes_contain(error.text, "extent 1 has a count of 0, at least 1 is expected");
        assert_true(error.step == -1 && error.mount == -1 && error.request == -1 && error.status == -1);
        parse("0:0:1,4294967290:0:6", extents, 4, &n, &error);
        bytes_contain(error.text, "extent 1 (4294967290:0:6) passes the last id 4294967294");
        parse("0:0:1,1:4294967296:1", extents, 4, &n, &error);
        bytes_contain(error.text, "extent 1 has a number above 4294967295");
        parse("0:0:1,1:1", extents, 4, &n, &error);
        bytes_contain(error.text, "id map \"0:0:1,1:1\": extent 1 is not inside:outside:count");
        assert_int_equal(parse(longest, extents, 4, &n, &error), -EINVAL);
        assert_null(strchr(error.text, 0x1b));
        bytes_contain(error.text, "extent 0 is not inside:outside:count");
        assert_int_equal(idmap_check(extents, 0, "uids", &error), -EINVAL);
        bytes_contain(error.text, "uids: no extent");
        free(longest);
}

static void canonical(const char *text, const char *expected) {
        struct initsync_idmap a[8], b[8];
        struct initsync_error error;
        size_t n_a, n_b;

        assert_int_equal(parse(text, a, 8, &n_a, &error), 0);
        assert_int_equal(parse(expected, b, 8, &n_b, &error), 0);
        idmap_sort(a, n_a);
        if (!idmap_equal(a, n_a, b, n_b))
                fail_msg("\"%s\" has not become \"%s\"", text, expected);
        assert_int_equal(idmap_equal(a, n_a, b, n_b - 1), 0);
        b[n_b - 1].count++;
        assert_int_equal(idmap_equal(a, n_a, b, n_b), 0);
        b[n_b - 1].count--;
        b[0].outside++;
        assert_int_equal(idmap_equal(a, n_a, b, n_b), 0);
}

static void test_canonical(void **state) {
        (void)state;
        canonical("0:0:1", "0:0:1");
        canonical("5:10:5,0:5:5", "0:5:5,5:10:5");              /* neighbours stay two */
        canonical("10:20:1,8:18:1,9:19:1", "8:18:1,9:19:1,10:20:1");
        canonical("0:10:5,5:5:5", "0:10:5,5:5:5");
        canonical("5:0:5,0:4294967290:5", "0:4294967290:5,5:0:5");
        canonical("4294967294:0:1,0:4294967294:1,2147483648:1:1", "0:4294967294:1,2147483648:1:1,4294967294:0:1");
        idmap_sort(NULL, 0);
        assert_int_equal(idmap_equal(NULL, 0, NULL, 0), 1);
}

/* Every order of the same extents becomes one and the same. */
static void test_order_does_not_matter(void **state) {
        struct initsync_idmap sorted[INITSYNC_IDMAP_MAX], extents[INITSYNC_IDMAP_MAX];
        uint64_t seed = 12;
        int round;

        (void)state;
        for (round = 0; round < 600; round++) {
                size_t n = 1 + bytes_random(&seed) % INITSYNC_IDMAP_MAX, i;
                uint32_t at = 0;

                for (i = 0; i < n; i++) {
                        uint32_t count = 1 + bytes_random(&seed) % 1000000;

                        sorted[i] = (struct initsync_idmap){ at, bytes_random(&seed), count };
                        at += count + bytes_random(&seed) % 2;
                }
                memcpy(extents, sorted, n * sizeof(*extents));
                for (i = n; --i;) {
                        size_t k = bytes_random(&seed) % (i + 1);
                        struct initsync_idmap one = extents[i];

                        extents[i] = extents[k];
                        extents[k] = one;
                }
                idmap_sort(extents, n);
                assert_int_equal(idmap_equal(extents, n, sorted, n), 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_grammar),
                cmocka_unit_test(test_boundaries),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_extents),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_overlap),
                cmocka_unit_test(test_error_texts),
                cmocka_unit_test(test_canonical),
                cmocka_unit_test(test_order_does_not_matter),
        };

        return cmocka_run_group_tests_name("idmap", tests, NULL, NULL);
}
