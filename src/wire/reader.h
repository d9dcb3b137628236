/* SPDX-License-Identifier: MIT */
#ifndef WIRE_READER_H
#define WIRE_READER_H

/*
 * A strict reader for JSON (RFC 8259) that came from the other side: one pass, no allocation, no recursion beyond LIMIT_DEPTH.
 *
 * json-c's own strict mode takes single quotes, NaN, raw control bytes, duplicate keys and saturates integers; here each of
 * these is an error. The text is modified: strings are decoded in place, which never makes them longer.
 *
 * A reader that has failed stays failed; callers look once, at the end.
 */

#include <stddef.h>
#include <stdint.h>
#include "wire/limits.h"

struct reader {
        char *at, *end;
        int depth;
        int keep;                       /* leave the text as it is (strings read then are not decoded) */
        const char *error;              /* what was expected, NULL while all is well */
        const char *path[LIMIT_DEPTH + 1];      /* keys that lead to where it is, or failed; kept by the caller */
        size_t n_path;
};

struct string {
        char *data;                     /* terminated */
        size_t length;                  /* may be more than strlen(): \u0000 is a character */
};

void reader_init(struct reader *reader, char *text, size_t n);

/* reader_fail() - note what was expected, unless something is noted already; returns -EPROTO */
int reader_fail(struct reader *reader, const char *expected);

/* reader_peek() - first byte of the next token, '\0' at the end */
char reader_peek(struct reader *reader);

/*
 * Objects and lists: `for (reader_open(j, '{'); reader_next(j, '}', &first); )` walks the members; reader_key() is called
 * for each in an object before its value is read.
 */
void reader_open(struct reader *reader, char bracket);
int reader_next(struct reader *reader, char bracket, int *first);
void reader_key(struct reader *reader, struct string *ret);

void reader_text(struct reader *reader, struct string *ret);
int reader_bool(struct reader *reader);
int reader_null(struct reader *reader);               /* 1 and past it when the next value is null, else 0 */

/* reader_uint() - an integer from 0 to @max, written without fraction or exponent */
uint64_t reader_uint(struct reader *reader, uint64_t max);

/* reader_int() - an integer from @min to @max */
int64_t reader_int(struct reader *reader, int64_t min, int64_t max);

/* reader_skip() - any value, checked as strictly as one that is read */
void reader_skip(struct reader *reader);

/* reader_end() - nothing but white space may follow; returns 0 or -EPROTO */
int reader_end(struct reader *reader);

#endif /* WIRE_READER_H */
