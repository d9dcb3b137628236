/* SPDX-License-Identifier: MIT */
/* What the reader makes of a value: the text of a string, a number, an error that stays. */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "support/document.h"
#include "wire/reader.h"

static void test_text(void **state) {
        static const struct {
                struct document from, to;
        } cases[] = {
                { DOCUMENT("\"\""), DOCUMENT("") },
                { DOCUMENT("\"plain\""), DOCUMENT("plain") },
                { DOCUMENT("\"a\\u0000b\""), DOCUMENT("a\0b") },
                { DOCUMENT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), DOCUMENT("\"\\/\b\f\n\r\t") },
                { DOCUMENT("\"\\u003c\\u003E\\u0026\""), DOCUMENT("<>&") },
                { DOCUMENT("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
                  DOCUMENT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf") },
                { DOCUMENT("\"\\ud800\\udc00\\udbff\\udfff\""), DOCUMENT("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
                { DOCUMENT("\"\\ud83d\\udc27x\""), DOCUMENT("\xf0\x9f\x90\xa7x") },
                /* Half a pair is what Go makes of it: U+FFFD, and the next escape stands for itself. */
                { DOCUMENT("\"\\ud83d\""), DOCUMENT("\xef\xbf\xbd") },
                { DOCUMENT("\"\\ud83d\\u0041\""), DOCUMENT("\xef\xbf\xbd" "A") },
                { DOCUMENT("\"\\ud83d\\ud83d\\udc27\""), DOCUMENT("\xef\xbf\xbd\xf0\x9f\x90\xa7") },
                { DOCUMENT("\"\\udc27\\ud83d\""), DOCUMENT("\xef\xbf\xbd\xef\xbf\xbd") },
                { DOCUMENT("\"\\ud83d\\n\""), DOCUMENT("\xef\xbf\xbd\n") },
                { DOCUMENT("\"\xe2\x82\xac\\u20ac\xe2\x82\xac\""), DOCUMENT("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac") },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                char *copy = bytes_exact(cases[i].from.text, cases[i].from.n);
                struct string text;
                struct reader reader;

                reader_init(&reader, copy, cases[i].from.n);
                reader_text(&reader, &text);
                assert_int_equal(reader_end(&reader), 0);
                assert_int_equal(text.length, cases[i].to.n);
                assert_memory_equal(text.data, cases[i].to.text, text.length + 1);
                free(copy);
        }
}

/* Where the text is kept, a string with escapes must not look like one without. */
static void test_kept_text_keeps_escapes(void **state) {
        char *copy = bytes_exact("\"arg\\u0061\"", 11);
        struct string text;
        struct reader reader;

        (void)state;
        reader_init(&reader, copy, 11);
        reader.keep = 1;
        reader_text(&reader, &text);
        assert_int_equal(text.length, 9);
        assert_memory_equal(text.data, "arg\\u0061", 9);
        free(copy);
}

static const struct {
        const char *text;
        int64_t min;
        uint64_t max;
        int is_signed, ok;
        int64_t value;
} numbers[] = {
        { "0", 0, 0, 0, 1, 0 },
        { "1", 0, 0, 0, 0, 0 },
        { "10", 0, 10, 0, 1, 10 },
        { "11", 0, 10, 0, 0, 0 },
        { " 7", 0, 10, 0, 1, 7 },
        { "-0", 0, 10, 0, 0, 0 },               /* an id is not written so */
        { "-1", 0, 10, 0, 0, 0 },
        { "00", 0, 10, 0, 0, 0 },
        { "01", 0, 10, 0, 0, 0 },
        { "1.0", 0, 10, 0, 0, 0 },
        { "1e0", 0, 10, 0, 0, 0 },
        { "1E0", 0, 10, 0, 0, 0 },
        { "1e3", 0, UINT32_MAX, 0, 0, 0 },
        { "1.9", 0, UINT32_MAX, 0, 0, 0 },
        { "\"12\"", 0, UINT32_MAX, 0, 0, 0 },
        { "true", 0, UINT32_MAX, 0, 0, 0 },
        { "null", 0, UINT32_MAX, 0, 0, 0 },
        { "[]", 0, UINT32_MAX, 0, 0, 0 },
        { "", 0, UINT32_MAX, 0, 0, 0 },
        { "0x10", 0, UINT32_MAX, 0, 0, 0 },
        { "12abc", 0, UINT32_MAX, 0, 0, 0 },
        { "4294967295", 0, UINT32_MAX, 0, 1, UINT32_MAX },
        { "4294967296", 0, UINT32_MAX, 0, 0, 0 },
        { "18446744073709551615", 0, UINT64_MAX, 0, 1, -1 },
        { "18446744073709551616", 0, UINT64_MAX, 0, 0, 0 },
        { "18446744073709551625", 0, UINT64_MAX, 0, 0, 0 },
        { "184467440737095516150", 0, UINT64_MAX, 0, 0, 0 },
        { "99999999999999999999999999999999", 0, UINT64_MAX, 0, 0, 0 },
        { "-0", -5, 5, 1, 1, 0 },
        { "-5", -5, 5, 1, 1, -5 },
        { "-6", -5, 5, 1, 0, 0 },
        { "5", -5, 5, 1, 1, 5 },
        { "6", -5, 5, 1, 0, 0 },
        { "-1", 0, 5, 1, 0, 0 },
        { "-", -5, 5, 1, 0, 0 },
        { "--1", -5, 5, 1, 0, 0 },
        { "-01", -5, 5, 1, 0, 0 },
        { "-1.0", -5, 5, 1, 0, 0 },
        { "-1e0", -5, 5, 1, 0, 0 },
        { "-9223372036854775808", INT64_MIN, INT64_MAX, 1, 1, INT64_MIN },
        { "-9223372036854775809", INT64_MIN, INT64_MAX, 1, 0, 0 },
        { "9223372036854775807", INT64_MIN, INT64_MAX, 1, 1, INT64_MAX },
        { "9223372036854775808", INT64_MIN, INT64_MAX, 1, 0, 0 },
        { "-18446744073709551616", INT64_MIN, INT64_MAX, 1, 0, 0 },
        { "-18446744073709551617", INT64_MIN, INT64_MAX, 1, 0, 0 },
};

static void test_numbers(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(numbers); i++) {
                char *copy = bytes_exact(numbers[i].text, strlen(numbers[i].text));
                struct reader reader;
                int64_t value;

                reader_init(&reader, copy, strlen(numbers[i].text));
                value = numbers[i].is_signed ? reader_int(&reader, numbers[i].min, (int64_t)numbers[i].max)
                                             : (int64_t)reader_uint(&reader, numbers[i].max);
                if ((reader_end(&reader) == 0) != numbers[i].ok || (numbers[i].ok && value != numbers[i].value))
                        fail_msg("%s gives %lld, error %s", numbers[i].text, (long long)value, reader.error);
                free(copy);
        }
}

static void test_stays_failed(void **state) {
        char text[] = "{\"a\":1}";
        struct string string;
        struct reader reader;
        int first = 1;

        (void)state;
        reader_init(&reader, text, strlen(text));
        assert_int_equal(reader_fail(&reader, "the first"), -EPROTO);
        reader_fail(&reader, "the second");
        reader_open(&reader, '{');
        assert_int_equal(reader_next(&reader, '}', &first), 0);
        reader_key(&reader, &string);
        assert_string_equal(string.data, "");
        reader_text(&reader, &string);
        reader_skip(&reader);
        assert_int_equal(reader_null(&reader), 0);
        assert_int_equal(reader_bool(&reader), 0);
        assert_true(reader_uint(&reader, 9) == 0 && reader_int(&reader, -9, 9) == 0);
        assert_int_equal(reader_end(&reader), -EPROTO);
        assert_string_equal(reader.error, "the first");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_kept_text_keeps_escapes),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_stays_failed),
        };

        return cmocka_run_group_tests_name("reader-values", tests, NULL, NULL);
}
