/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "base/path.h"
#include "support/bytes.h"

static void test_clean(void **state) {
        static const struct {
                const char *path, *clean;
        } cases[] = {
                { "/", "/" },
                { "", "/" },
                { "//", "/" },
                { "/.", "/" },
                { "/./", "/" },
                { "/..", "/" },
                { "/../..", "/" },
                { "/../../etc", "/etc" },
                { "/a", "/a" },
                { "/a/", "/a" },
                { "//a//b//", "/a/b" },
                { "/a/./b", "/a/b" },
                { "/a/../b", "/b" },
                { "/a/b/..", "/a" },
                { "/a/b/../", "/a" },
                { "/a/b/../..", "/" },
                { "/a/b/../../..", "/" },
                { "/a/b/../../../c", "/c" },
                { "/a/..b", "/a/..b" },
                { "/a/...", "/a/..." },
                { "/a/b..", "/a/b.." },
                { "/a/.b/.", "/a/.b" },
                { "/ab/../a", "/a" },
                { "a", "/a" },                  /* never longer than one byte more than what came */
                { "a/../..", "/" },
                { "/\xc3\xa4/..\xc3\xa4", "/\xc3\xa4/..\xc3\xa4" },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                char *path = bytes_exact(cases[i].path, strlen(cases[i].path) + 1);
                char *clean = path_clean(path);

                assert_non_null(clean);
                assert_string_equal(clean, cases[i].clean);
                free(clean);
                free(path);
        }
}

/* Cleaning a clean path changes nothing, whatever it was made of; and a clean path has no component that means something. */
static void test_clean_twice(void **state) {
        static const char *const parts[] = { "/", "//", "/.", "/..", "/a", "/bc", "/...", "/.d", "/e.", "/..f" };
        uint64_t seed = 4711;
        int round;

        (void)state;
        for (round = 0; round < 20000; round++) {
                char path[64] = "", *once, *twice;
                uint32_t n = 1 + bytes_random(&seed) % 12;

                while (n--)
                        strcat(path, parts[bytes_random(&seed) % ARRAY_SIZE(parts)]);
                once = path_clean(path);
                twice = path_clean(once);
                assert_string_equal(once, twice);
                assert_int_equal(once[0], '/');
                assert_null(strstr(once, "//"));
                assert_null(strstr(once, "/../"));
                assert_null(strstr(once, "/./"));
                assert_true(once[1] == '\0' || once[strlen(once) - 1] != '/');
                free(once);
                free(twice);
        }
}

static void test_below(void **state) {
        static const struct {
                const char *path, *root, *rest;
        } cases[] = {
                { "/a/b", "/a", "/b" },
                { "/a/b/c", "/a/b", "/c" },
                { "/a", "/a", "" },
                { "/ab", "/a", NULL },
                { "/a", "/a/b", NULL },
                { "/b/a", "/a", NULL },
                { "/", "/a", NULL },
                { "/a", "/", "/a" },
                { "/", "/", "" },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                const char *rest = path_below(cases[i].path, cases[i].root);

                assert_int_equal(!rest, !cases[i].rest);
                if (rest)
                        assert_string_equal(rest, cases[i].rest);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clean),
                cmocka_unit_test(test_clean_twice),
                cmocka_unit_test(test_below),
        };

        return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
