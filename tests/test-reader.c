/* SPDX-License-Identifier: MIT */
/* Which documents are JSON, and which are not. What values are made of them: tests/test-reader-values.c. */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "support/document.h"
#include "wire/reader.h"

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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_truncation),
                cmocka_unit_test(test_depth_costs_nothing),
        };

        return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
