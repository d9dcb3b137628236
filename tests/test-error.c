/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "base/error.h"
#include "support/bytes.h"

#define ELLIPSIS "\xe2\x80\xa6"

static void test_layout(void **state) {
        (void)state;
        assert_int_equal(sizeof(struct initsync_error), 1024);
        assert_int_equal(offsetof(struct initsync_error, code), 0);
        assert_int_equal(offsetof(struct initsync_error, stage), 4);
        assert_int_equal(offsetof(struct initsync_error, step), 8);
        assert_int_equal(offsetof(struct initsync_error, mount), 12);
        assert_int_equal(offsetof(struct initsync_error, request), 16);
        assert_int_equal(offsetof(struct initsync_error, status), 20);
        assert_int_equal(offsetof(struct initsync_error, reserved), 24);
        assert_int_equal(offsetof(struct initsync_error, call), 32);
        assert_int_equal(offsetof(struct initsync_error, path), 64);
        assert_int_equal(offsetof(struct initsync_error, text), 320);
}

static void test_escape(void **state) {
        static const struct {
                const char *from;
                size_t n;
                const char *to;
        } cases[] = {
                { "plain", 5, "plain" },
                { "", 0, "" },
                { "a\0b", 3, "a\\x00b" },
                { "\n\r\t\x1b[31m\x7f", 9, "\\x0a\\x0d\\x09\\x1b[31m\\x7f" },
                { "\x1f ~", 3, "\\x1f ~" },
                { "\xc2\x80\xc2\x9f", 4, "\\xc2\\x80\\xc2\\x9f" },      /* C1: a terminal acts on these, too */
                { "\xc2\xa0\xc3\xa4", 4, "\xc2\xa0\xc3\xa4" },
                { "\xe2\x82\xac", 3, "\xe2\x82\xac" },
                { "\xf0\x9f\x90\xa7", 4, "\xf0\x9f\x90\xa7" },
                { "\xff\xfe", 2, "\\xff\\xfe" },
                { "\x80", 1, "\\x80" },
                { "\xc0\xaf", 2, "\\xc0\\xaf" },                        /* '/' the long way */
                { "\xe0\x80\xaf", 3, "\\xe0\\x80\\xaf" },
                { "\xed\xa0\x80", 3, "\\xed\\xa0\\x80" },               /* a surrogate */
                { "\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80" },      /* past U+10FFFF */
                { "\xe2\x82", 2, "\\xe2\\x82" },
                { "\xe2\x82x", 3, "\\xe2\\x82x" },
                { "%s%n%%", 6, "%s%n%%" },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                char *from = bytes_exact(cases[i].from, cases[i].n), to[64];

                assert_int_equal(text_escape(to, sizeof(to), from, cases[i].n), strlen(cases[i].to));
                assert_string_equal(to, cases[i].to);
                free(from);
        }
}

/* At every size: terminated, whole characters and whole escapes only. */
static void test_escape_cuts(void **state) {
        static const char from[] = "a\xe2\x82\xac\n\xf0\x9f\x90\xa7z", whole[] = "a\xe2\x82\xac\\x0a\xf0\x9f\x90\xa7z";
        static const size_t ends[] = { 0, 1, 4, 8, 12, 13 };
        size_t size, i, most;

        (void)state;
        for (size = 1; size < 20; size++) {
                char *to = malloc(size);

                for (i = 0, most = 0; i < ARRAY_SIZE(ends); i++)
                        if (ends[i] < size)
                                most = ends[i];
                assert_int_equal(text_escape(to, size, from, sizeof(from) - 1), most);
                assert_int_equal(strlen(to), most);
                assert_memory_equal(to, whole, most);
                free(to);
        }
}

/* What was escaped before is not cut within an escape either, wherever the cut is. */
static int is_whole(const char *text) {
        static const char *const units[] = { "\\x0a", "\xe2\x82\xac", "\xe2\x80\xa6", "/", "p", ": " };
        size_t i, n;

        while (*text) {
                for (i = 0; i < ARRAY_SIZE(units); i++)
                        if (strncmp(text, units[i], strlen(units[i])) == 0)
                                break;
                if (i == ARRAY_SIZE(units))
                        return 0;
                n = strlen(units[i]);
                text += n;
        }
        return 1;
}

static void test_cuts_are_whole(void **state) {
        static const char *const fillings[] = { "\n", "\xe2\x82\xac", "\\x0a" };
        struct initsync_error error;
        size_t i, shift;

        (void)state;
        assert_int_equal(text_cut("ab\\x0a", 6, 5), 2);
        assert_int_equal(text_cut("ab\\x0a", 6, 2), 2);
        assert_int_equal(text_cut("ab\\x0a", 6, 6), 6);
        assert_int_equal(text_cut("ab\\x0g", 6, 5), 5);
        assert_int_equal(text_cut("ab\\x0a", 5, 4), 4);         /* none: it is not all there */
        assert_int_equal(text_cut("a\xe2\x82\xac", 4, 3), 1);
        assert_int_equal(text_cut("\x80\x80\x80\x80", 4, 3), 3);
        assert_int_equal(text_cut_front("ab\\x0a", 6, 3), 6);
        for (i = 0; i < ARRAY_SIZE(fillings); i++) {
                char *filling = bytes_repeat(fillings[i], 400);

                for (shift = 0; shift < 5; shift++) {
                        char text[16], *path;

                        snprintf(text, sizeof(text), "%.*s", (int)shift, "/////");
                        path = malloc(strlen(filling) + 32);
                        sprintf(path, "%s%s%s", text, filling, text);
                        error_say(&error, -EIO, 0, NULL, path, "%s", path);
                        assert_true(is_whole(error.path));
                        assert_true(is_whole(error.text));
                        error_prefix(&error, "p%s", text);
                        assert_true(is_whole(error.text));
                        error_prefix(&error, "%s", path);
                        assert_true(is_whole(error.text));
                        free(path);
                }
                free(filling);
        }
}

/* Every character, and every beginning of two bytes, against RFC 3629 written down a second time. */
static void test_utf8(void **state) {
        uint32_t c, n;
        unsigned char s[4];

        (void)state;
        for (c = 0; c < 0x110000; c++) {
                n = 0;
                if (c < 0x80) {
                        s[n++] = (unsigned char)c;
                } else if (c < 0x800) {
                        s[n++] = (unsigned char)(0xc0 | c >> 6);
                } else if (c < 0x10000) {
                        s[n++] = (unsigned char)(0xe0 | c >> 12);
                        s[n++] = (unsigned char)(0x80 | (c >> 6 & 63));
                } else {
                        s[n++] = (unsigned char)(0xf0 | c >> 18);
                        s[n++] = (unsigned char)(0x80 | (c >> 12 & 63));
                        s[n++] = (unsigned char)(0x80 | (c >> 6 & 63));
                }
                if (c >= 0x80)
                        s[n++] = (unsigned char)(0x80 | (c & 63));
                assert_int_equal(text_utf8(s, n), c >= 0xd800 && c < 0xe000 ? 0 : n);
                assert_int_equal(text_utf8(s, n - 1), 0);
        }
        /* All two-byte beginnings: overlong forms and wrong continuations. */
        for (c = 0; c < 0x10000; c++) {
                s[0] = (unsigned char)(c >> 8);
                s[1] = (unsigned char)c;
                s[2] = s[3] = 0x80;
                n = s[0] < 0x80                                           ? 1
                    : s[0] < 0xc2 || s[0] > 0xf4 || (s[1] & 0xc0) != 0x80 ? 0
                    : s[0] < 0xe0                                         ? 2
                    : s[0] < 0xf0                                         ? 3
                                                                          : 4;
                if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
                    (s[0] == 0xf4 && s[1] > 0x8f))
                        n = 0;
                assert_int_equal(text_utf8(s, 4), n);
        }
}

static void test_set(void **state) {
        struct initsync_error error;

        (void)state;
        memset(&error, 0xab, sizeof(error));
        assert_int_equal(error_set(&error, -ENOENT, INITSYNC_STAGE_MOUNT, "openat2", "/a\nb", "openat2 %s", "/a\nb"),
                         -ENOENT);
        assert_int_equal(error.code, -ENOENT);
        assert_int_equal(error.stage, INITSYNC_STAGE_MOUNT);
        assert_true(error.step == -1 && error.mount == -1 && error.request == -1 && error.status == -1);
        assert_true(error.reserved[0] == 0 && error.reserved[1] == 0);
        assert_string_equal(error.call, "openat2");
        assert_string_equal(error.path, "/a\\x0ab");
        assert_string_equal(error.text, "openat2 /a\\x0ab: No such file or directory");
        assert_int_equal(error_say(&error, -EPROTO, INITSYNC_STAGE_WIRE, NULL, NULL, "as it %s", "stands"), -EPROTO);
        assert_string_equal(error.text, "as it stands");
        assert_string_equal(error.call, "");
        assert_string_equal(error.path, "");
        assert_int_equal(error_set(NULL, -EIO, 1, "x", "y", "z"), -EIO);
        assert_int_equal(error_say(NULL, -EIO, 1, "x", "y", "z"), -EIO);
        error_prefix(NULL, "x");
        error_set(&error, -EIO, 1, "a_call_whose_name_is_far_too_long_for_the_field", NULL, "x");
        assert_int_equal(strlen(error.call), sizeof(error.call) - 1);
}

/* Whatever a path holds and however long it is, the cause stands at the end, and the text is whole UTF-8. */
static void test_cause_survives(void **state) {
        static const char *const units[] = { "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\n", "\xff" };
        static const char cause[] = ": File name too long";
        struct initsync_error error;
        size_t i, n;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(units); i++) {
                for (n = 150; n < 9000; n = n < 720 ? n + 1 : n * 2) {
                        char *path = bytes_repeat(units[i], n);

                        error_set(&error, -ENAMETOOLONG, INITSYNC_STAGE_MOUNT, "open_tree", path, "open_tree /%s", path);
                        assert_non_null(memchr(error.text, 0, sizeof(error.text)));
                        assert_true(strlen(error.text) > sizeof(cause));
                        assert_string_equal(error.text + strlen(error.text) - strlen(cause), cause);
                        assert_non_null(memchr(error.path, 0, sizeof(error.path)));
                        error_say(&error, -ENAMETOOLONG, INITSYNC_STAGE_MOUNT, NULL, NULL, "%s", error.text);
                        assert_null(strstr(error.text, units[4]));
                        free(path);
                }
        }
}

static size_t utf8_length(const char *text) {
        size_t n = strlen(text), at = 0, step;

        for (; at < n; at += step) {
                step = text_utf8((const unsigned char *)text + at, n - at);
                assert_true(step > 0);
        }
        return n;
}

static void test_path_ellipsis(void **state) {
        static const char *const units[] = { "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\x01", "\xff" };
        struct initsync_error error;
        size_t i, n;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(units); i++) {
                for (n = 1; n * strlen(units[i]) < 4080; n += n < 300 ? 1 : 97) {
                        char *middle = bytes_repeat(units[i], n), *path = bytes_format("/%s/last", middle);
                        size_t shown;

                        error_path(&error, path);
                        shown = utf8_length(error.path);
                        assert_true(shown < sizeof(error.path));
                        assert_string_equal(error.path + shown - 5, "/last");
                        if (i < 4 && strlen(path) < sizeof(error.path)) {
                                assert_string_equal(error.path, path);
                        } else if (i < 4) {
                                assert_memory_equal(error.path, ELLIPSIS, 3);
                                assert_true(shown > sizeof(error.path) - 5);
                                assert_string_equal(error.path + 3, path + strlen(path) - (shown - 3));
                        }
                        free(middle);
                        free(path);
                }
        }
}

static void test_prefix(void **state) {
        struct initsync_error error;

        (void)state;
        error_set(&error, -ENOENT, INITSYNC_STAGE_MOUNT, "openat2", "/x", "openat2 /x");
        error_prefix(&error, "mount %d\n", 3);
        assert_string_equal(error.text, "mount 3\\x0a: openat2 /x: No such file or directory");
        assert_int_equal(error.code, -ENOENT);
        assert_string_equal(error.call, "openat2");
        assert_string_equal(error.path, "/x");
}

/* A long name in front, a long path behind, or both: the cause is the last thing that may be lost. */
static void test_prefix_keeps_the_cause(void **state) {
        static const char cause[] = ": No such file or directory";
        static const char *const units[] = { "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7" };
        struct initsync_error error;
        size_t i, n, k;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(units); i++) {
                for (n = 1; n < 3000; n = n * 3 / 2 + 1) {
                        for (k = 1; k < 3000; k = k * 3 / 2 + 1) {
                                char *path = bytes_repeat(units[i], n), *name = bytes_repeat(units[i], k);

                                error_set(&error, -ENOENT, INITSYNC_STAGE_MOUNT, NULL, NULL, "open_tree /%s", path);
                                error_prefix(&error, "step %s", name);
                                utf8_length(error.text);
                                bytes_contain(error.text, "step ");
                                bytes_contain(error.text, cause);
                                free(path);
                                free(name);
                        }
                }
        }
}

static void test_words(void **state) {
        int code;

        (void)state;
        for (code = 0; code <= 133; code++) {
                assert_non_null(error_words(-code));
                if (code != 41 && code != 58)           /* numbers that Linux does not use */
                        assert_string_not_equal(error_words(-code), "unknown error");
        }
        assert_non_null(error_words(-4095));
        assert_non_null(error_words(1));
        assert_string_equal(error_words(-ENOENT), "No such file or directory");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout),
                cmocka_unit_test(test_escape),
                cmocka_unit_test(test_escape_cuts),
                cmocka_unit_test(test_cuts_are_whole),
                cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_set),
                cmocka_unit_test(test_cause_survives),
                cmocka_unit_test(test_path_ellipsis),
                cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_prefix_keeps_the_cause),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
