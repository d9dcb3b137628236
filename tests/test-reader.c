/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "wire/reader.h"

#define DOCUMENT(s) { s, sizeof(s) - 1 }

struct document {
        const char *text;
        size_t n;
};

static const struct document good[] = {
        DOCUMENT("{}"),
        DOCUMENT("[]"),
        DOCUMENT("\"\""),
        DOCUMENT("null"),
        DOCUMENT("true"),
        DOCUMENT("false"),
        DOCUMENT("0"),
        DOCUMENT("-0"),
        DOCUMENT("1.9"),
        DOCUMENT("1e3"),
        DOCUMENT("1E+3"),
        DOCUMENT("1e-3"),
        DOCUMENT("-1.5e10"),
        DOCUMENT("0.0"),
        DOCUMENT("0e0"),
        DOCUMENT("1e400"),
        DOCUMENT("18446744073709551615"),
        DOCUMENT("18446744073709551616"),
        DOCUMENT("-9223372036854775809"),
        DOCUMENT(" \t\r\n{ } \n"),
        DOCUMENT("[1 , 2]"),
        DOCUMENT("{\"a\" : 1 , \"b\":2}"),
        DOCUMENT("{\"a\":{\"b\":[{},[],\"\",null,true,false,-1]}}"),
        DOCUMENT("[[[[[[[[]]]]]]]]"),
        DOCUMENT("{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":1}}}}}}}}"),
        DOCUMENT("[[[[[[[1]]]]]],[[[[[[[]]]]]]]]"),
        DOCUMENT("\"\\u0000\""),
        DOCUMENT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\u20AC\""),
        DOCUMENT("\"\\ud83d\\udc27\""),
        DOCUMENT("\"\\ud83d\""),
        DOCUMENT("\"\\udc27\""),
        DOCUMENT("\"\\udc27\\ud83d\""),
        DOCUMENT("\"\\ud83dx\""),
        DOCUMENT("\"\\ud83d\\u0041\""),
        DOCUMENT("\"\x7f\""),
        DOCUMENT("\"\xc2\x80\""),
        DOCUMENT("\"\xe2\x82\xac\""),
        DOCUMENT("\"\xf4\x8f\xbf\xbf\""),
        DOCUMENT("\"'\""),
        DOCUMENT("\"//\""),
        DOCUMENT("\"/* */\""),
        DOCUMENT("\"NaN\""),
        DOCUMENT("{\"a\":1,\"a\":2}"), /* refused where keys mean something, by object_read() */
        DOCUMENT("{\"\":0}"),
        DOCUMENT("\"\xef\xbb\xbf\""),
};

static const struct document bad[] = {
        /* nothing, and too much */
        DOCUMENT(""),
        DOCUMENT(" "),
        DOCUMENT("{}{}"),
        DOCUMENT("{} {}"),
        DOCUMENT("{},"),
        DOCUMENT("{}x"),
        DOCUMENT("{}\0"),
        DOCUMENT("{}\0junk"),
        DOCUMENT("\0{}"),
        DOCUMENT("{\0}"),
        DOCUMENT("[1]]"),
        DOCUMENT("{}}"),
        DOCUMENT("1 2"),
        DOCUMENT("null,"),
        DOCUMENT("\"\"\"\""),
        DOCUMENT("\v{}"),
        DOCUMENT("\f{}"),
        DOCUMENT("{}\v"),
        DOCUMENT("\xc2\xa0{}"),
        DOCUMENT("\xef\xbb\xbf{}"),
        DOCUMENT("{\xef\xbb\xbf}"),
        DOCUMENT("\xff\xfe{\0}\0"),
        /* brackets and commas */
        DOCUMENT("{"),
        DOCUMENT("}"),
        DOCUMENT("["),
        DOCUMENT("]"),
        DOCUMENT("{]"),
        DOCUMENT("[}"),
        DOCUMENT("[1,]"),
        DOCUMENT("[,]"),
        DOCUMENT("[,1]"),
        DOCUMENT("[1,,2]"),
        DOCUMENT("[1 2]"),
        DOCUMENT("[1:2]"),
        DOCUMENT("{\"a\":1,}"),
        DOCUMENT("{,}"),
        DOCUMENT("{,\"a\":1}"),
        DOCUMENT("{\"a\":1,,\"b\":1}"),
        DOCUMENT("{\"a\":1 \"b\":1}"),
        DOCUMENT("{\"a\"}"),
        DOCUMENT("{\"a\":}"),
        DOCUMENT("{\"a\",1}"),
        DOCUMENT("{\"a\"::1}"),
        DOCUMENT("{:1}"),
        DOCUMENT("{\"a\":1;\"b\":1}"),
        DOCUMENT("{\"a\"=1}"),
        DOCUMENT("(1)"),
        DOCUMENT("{1:1}"),
        DOCUMENT("{null:1}"),
        DOCUMENT("{a:1}"),
        DOCUMENT("{[]:1}"),
        DOCUMENT("{\"a\" \"b\":1}"),
        /* words */
        DOCUMENT("nul"),
        DOCUMENT("nulll"),
        DOCUMENT("NULL"),
        DOCUMENT("Null"),
        DOCUMENT("tru"),
        DOCUMENT("True"),
        DOCUMENT("truefalse"),
        DOCUMENT("[truex]"),
        DOCUMENT("undefined"),
        DOCUMENT("None"),
        DOCUMENT("NaN"),
        DOCUMENT("nan"),
        DOCUMENT("-NaN"),
        DOCUMENT("Infinity"),
        DOCUMENT("-Infinity"),
        DOCUMENT("inf"),
        DOCUMENT("[NaN]"),
        DOCUMENT("abc"),
        /* numbers */
        DOCUMENT("00"),
        DOCUMENT("01"),
        DOCUMENT("-01"),
        DOCUMENT("-00"),
        DOCUMENT("01.5"),
        DOCUMENT("+1"),
        DOCUMENT("-"),
        DOCUMENT("--1"),
        DOCUMENT("- 1"),
        DOCUMENT("1."),
        DOCUMENT(".5"),
        DOCUMENT("-.5"),
        DOCUMENT("1.e3"),
        DOCUMENT("1e"),
        DOCUMENT("1e+"),
        DOCUMENT("1e-"),
        DOCUMENT("1e1.5"),
        DOCUMENT("1.2.3"),
        DOCUMENT("0x10"),
        DOCUMENT("1_000"),
        DOCUMENT("12abc"),
        DOCUMENT("1,5"),
        DOCUMENT("1f"),
        DOCUMENT("1L"),
        DOCUMENT("[-]"),
        DOCUMENT("[1.]"),
        DOCUMENT("e5"),
        /* strings */
        DOCUMENT("'a'"),
        DOCUMENT("{'a':1}"),
        DOCUMENT("[\"a']"),
        DOCUMENT("['']"),
        DOCUMENT("\""),
        DOCUMENT("\"a"),
        DOCUMENT("a\""),
        DOCUMENT("\"a\n\""),
        DOCUMENT("\"\t\""),
        DOCUMENT("\"\x1f\""),
        DOCUMENT("\"\x01\""),
        DOCUMENT("\"\0\""),
        DOCUMENT("\"a\0b\""),
        DOCUMENT("{\"a\0\":1}"),
        DOCUMENT("\"\r\""),
        DOCUMENT("\"\x1b[31m\""),
        DOCUMENT("\"\\\""),
        DOCUMENT("\"\\x41\""),
        DOCUMENT("\"\\a\""),
        DOCUMENT("\"\\v\""),
        DOCUMENT("\"\\0\""),
        DOCUMENT("\"\\'\""),
        DOCUMENT("\"\\\n\""),
        DOCUMENT("\"\\U0041\""),
        DOCUMENT("\"\\u\""),
        DOCUMENT("\"\\u1\""),
        DOCUMENT("\"\\u12\""),
        DOCUMENT("\"\\u123\""),
        DOCUMENT("\"\\u123g\""),
        DOCUMENT("\"\\u 123\""),
        DOCUMENT("\"\\u+123\""),
        DOCUMENT("\"\\u-001\""),
        DOCUMENT("\"\\ud83d\\u12\""),
        DOCUMENT("\"\\ud83d\\udc2\""),
        DOCUMENT("\"\\ud83d\\\""),
        DOCUMENT("\"\\\0\""),
        DOCUMENT("\"\\\xc3\xa4\""),
        DOCUMENT("\"a\" \"b\""),
        DOCUMENT("\"a\"+\"b\""),
        DOCUMENT("`a`"),
        /* UTF-8: overlong, surrogates, past the end, cut off */
        DOCUMENT("\"\xc0\x80\""),
        DOCUMENT("\"\xc0\xaf\""),
        DOCUMENT("\"\xc1\xbf\""),
        DOCUMENT("\"\xe0\x80\xaf\""),
        DOCUMENT("\"\xe0\x9f\xbf\""),
        DOCUMENT("\"\xf0\x80\x80\xaf\""),
        DOCUMENT("\"\xf0\x8f\xbf\xbf\""),
        DOCUMENT("\"\xed\xa0\x80\""),
        DOCUMENT("\"\xed\xbf\xbf\""),
        DOCUMENT("\"\xf4\x90\x80\x80\""),
        DOCUMENT("\"\xf5\x80\x80\x80\""),
        DOCUMENT("\"\xf8\x88\x80\x80\x80\""),
        DOCUMENT("\"\xff\""),
        DOCUMENT("\"\xfe\""),
        DOCUMENT("\"\x80\""),
        DOCUMENT("\"\xbf\""),
        DOCUMENT("\"\xc3\""),
        DOCUMENT("\"\xc3\"x\""),
        DOCUMENT("\"\xe2\x82\""),
        DOCUMENT("\"\xe2\x82"),
        DOCUMENT("\"\xf0\x9f\x90\""),
        DOCUMENT("\"\xc3"),
        DOCUMENT("\"\xe4\""),
        DOCUMENT("{\"\xff\":1}"),
        /* comments */
        DOCUMENT("/**/{}"),
        DOCUMENT("{}/**/"),
        DOCUMENT("{}//"),
        DOCUMENT("{/*x*/}"),
        DOCUMENT("[1,/*x*/2]"),
        DOCUMENT("//\n{}"),
        DOCUMENT("#\n{}"),
        DOCUMENT("{} # x"),
        DOCUMENT("{\"a\"/**/:1}"),
        /* depth */
        DOCUMENT("[[[[[[[[[]]]]]]]]]"),
        DOCUMENT("{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{}}}}}}}}}"),
        DOCUMENT("[[[[[[[[{\"a\":1}]]]]]]]]"),
        DOCUMENT("{\"a\":[[[[[[[[1]]]]]]]]}"),
};

/* All of a document, as a value whose meaning is of no interest; with @keep the text must not change. */
static int verdict(const char *text, size_t n, int keep) {
        char *copy = bytes_exact(text, n);
        struct reader reader;
        int r;

        reader_init(&reader, copy, n);
        reader.keep = keep;
        reader_skip(&reader);
        r = reader_end(&reader);
        assert_int_equal(!r, !reader.error);
        if (keep)
                assert_memory_equal(copy, text, n);
        free(copy);
        return r;
}

static void test_good(void **state) {
        size_t i, keep;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(good); i++)
                for (keep = 0; keep < 2; keep++)
                        if (verdict(good[i].text, good[i].n, (int)keep) != 0)
                                fail_msg("refused: %s", good[i].text);
}

static void test_bad(void **state) {
        size_t i, keep;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(bad); i++)
                for (keep = 0; keep < 2; keep++)
                        if (verdict(bad[i].text, bad[i].n, (int)keep) != -EPROTO)
                                fail_msg("taken: %.*s", (int)bad[i].n, bad[i].text);
}

/* The last byte missing makes every document but a number, or white space at the end, a bad one; no other byte is read. */
static void test_truncation(void **state) {
        size_t i, n;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(good); i++)
                for (n = 0; n < good[i].n; n++)
                        if (strchr("{[\"", good[i].text[0]))
                                assert_int_equal(verdict(good[i].text, n, 0), -EPROTO);
}

/* A hundred thousand levels must cost no more stack than nine. */
static void test_depth_costs_nothing(void **state) {
        char *text = bytes_repeat("[", 100000), *objects = bytes_repeat("{\"a\":", 100000);

        (void)state;
        assert_int_equal(verdict(text, 100000, 0), -EPROTO);
        assert_int_equal(verdict(objects, strlen(objects), 0), -EPROTO);
        free(text);
        free(objects);
}

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
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_truncation),
                cmocka_unit_test(test_depth_costs_nothing),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_kept_text_keeps_escapes),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_stays_failed),
        };

        return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
