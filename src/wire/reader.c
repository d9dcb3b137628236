/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/error.h"
#include "wire/reader.h"
#include "wire/limits.h"

void reader_init(struct reader *reader, char *text, size_t n) {
        *reader = (struct reader){ .at = text, .end = text + n };
}

int reader_fail(struct reader *reader, const char *expected) {
        if (!reader->error)
                reader->error = expected;
        reader->at = reader->end;
        return -EPROTO;
}

static void skip_space(struct reader *reader) {
        while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
                reader->at++;
}

char reader_peek(struct reader *reader) {
        skip_space(reader);
        return reader->at < reader->end ? *reader->at : '\0';
}

void reader_open(struct reader *reader, char bracket) {
        if (reader_peek(reader) != bracket)
                reader_fail(reader, bracket == '{' ? "an object" : "a list");
        else if (++reader->depth > LIMIT_DEPTH)
                reader_fail(reader, "at most 8 levels of nesting");
        else
                reader->at++;
}

int reader_next(struct reader *reader, char bracket, int *first) {
        char next = reader_peek(reader);

        if (reader->error)
                return 0;
        if (next == bracket) {
                reader->at++;
                reader->depth--;
                return 0;
        }
        if (!*first) {
                if (next != ',') {
                        reader_fail(reader, bracket == '}' ? "',' or '}'" : "',' or ']'");
                        return 0;
                }
                reader->at++;
        }
        *first = 0;
        return 1;
}

void reader_key(struct reader *reader, struct string *ret) {
        *ret = (struct string){ .data = (char *)"" };
        if (reader_peek(reader) != '"') {
                reader_fail(reader, "a key in double quotes");
                return;
        }
        reader_text(reader, ret);
        if (reader_peek(reader) != ':')
                reader_fail(reader, "':' after a key");
        else
                reader->at++;
}

static int hex4(const char *s, const char *end, uint32_t *ret) {
        uint32_t value = 0;
        int i;

        if (end - s < 4)
                return 0;
        for (i = 0; i < 4; i++) {
                char c = s[i];

                if (c >= '0' && c <= '9')
                        value = value << 4 | (uint32_t)(c - '0');
                else if ((c | 32) >= 'a' && (c | 32) <= 'f')
                        value = value << 4 | (uint32_t)((c | 32) - 'a' + 10);
                else
                        return 0;
        }
        *ret = value;
        return 1;
}

/* Where nothing may be changed, what was decoded is thrown away. */
static void put(struct reader *reader, char **into, uint32_t c) {
        char *to = *into;

        if (reader->keep)
                return;
        if (c < 0x80) {
                *to++ = (char)c;
        } else if (c < 0x800) {
                *to++ = (char)(0xc0 | c >> 6);
                *to++ = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
                *to++ = (char)(0xe0 | c >> 12);
                *to++ = (char)(0x80 | (c >> 6 & 0x3f));
                *to++ = (char)(0x80 | (c & 0x3f));
        } else {
                *to++ = (char)(0xf0 | c >> 18);
                *to++ = (char)(0x80 | (c >> 12 & 0x3f));
                *to++ = (char)(0x80 | (c >> 6 & 0x3f));
                *to++ = (char)(0x80 | (c & 0x3f));
        }
        *into = to;
}

/* After "\u": a character of its own, or a pair of surrogates; half a pair stands for nothing and becomes U+FFFD. */
static void unicode_escape(struct reader *reader, char **to) {
        char *s = reader->at, *end = reader->end;
        uint32_t c, low;

        if (!hex4(s, end, &c)) {
                reader_fail(reader, "four hexadecimal digits after \\u");
                return;
        }
        s += 4;
        if (c >= 0xd800 && c < 0xdc00 && end - s >= 6 && s[0] == '\\' && s[1] == 'u' && hex4(s + 2, end, &low) && low >= 0xdc00 &&
            low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                s += 6;
        } else if (c >= 0xd800 && c < 0xe000) {
                c = 0xfffd;
        }
        put(reader, to, c);
        reader->at = s;
}

static void escape(struct reader *reader, char **to) {
        static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
        const char *found;

        reader->at++;
        if (reader->at >= reader->end) {
                reader_fail(reader, "a string that ends");
                return;
        }
        if (*reader->at == 'u') {
                reader->at++;
                unicode_escape(reader, to);
                return;
        }
        found = *reader->at ? strchr(from, *reader->at) : NULL;
        if (!found) {
                reader_fail(reader, "one of \"\\/bfnrtu after a backslash");
                return;
        }
        put(reader, to, (unsigned char)into[found - from]);
        reader->at++;
}

void reader_text(struct reader *reader, struct string *ret) {
        char *start, *to;

        *ret = (struct string){ .data = (char *)"" };
        if (reader_peek(reader) != '"') {
                reader_fail(reader, "a string");
                return;
        }
        start = to = ++reader->at;
        while (!reader->error) {
                unsigned char c;
                size_t n;

                if (reader->at >= reader->end) {
                        reader_fail(reader, "a string that ends");
                        return;
                }
                c = (unsigned char)*reader->at;
                if (c == '"')
                        break;
                if (c == '\\') {
                        escape(reader, &to);
                        continue;
                }
                n = c < 0x20 ? 0 : text_utf8((unsigned char *)reader->at, (size_t)(reader->end - reader->at));
                if (n == 0) {
                        reader_fail(reader, c < 0x20 ? "control characters escaped" : "UTF-8");
                        return;
                }
                if (!reader->keep && to != reader->at)
                        memmove(to, reader->at, n);
                to += n;
                reader->at += n;
        }
        if (reader->error)
                return;
        if (reader->keep)
                to = reader->at;        /* as it came, escapes and all */
        else
                *to = '\0';             /* in place of the closing quote, or before it */
        reader->at++;
        *ret = (struct string){ .data = start, .length = (size_t)(to - start) };
}

static int word(struct reader *reader, const char *text) {
        size_t n = strlen(text);

        skip_space(reader);
        if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, text, n) != 0)
                return 0;
        reader->at += n;
        return 1;
}

int reader_bool(struct reader *reader) {
        if (word(reader, "true"))
                return 1;
        if (!word(reader, "false"))
                reader_fail(reader, "true or false");
        return 0;
}

int reader_null(struct reader *reader) {
        if (reader_peek(reader) != 'n')
                return 0;
        if (!word(reader, "null"))
                reader_fail(reader, "null");
        return 1;
}

static int digit(const struct reader *reader) {
        return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

/* The digits before '.' and 'e'; @ret_over tells of a number past 2^64-1. */
static uint64_t digits(struct reader *reader, int *ret_over) {
        uint64_t value = 0;
        const char *start = reader->at;

        *ret_over = 0;
        for (; digit(reader); reader->at++) {
                uint64_t d = (uint64_t)(*reader->at - '0');

                if (value > (UINT64_MAX - d) / 10)
                        *ret_over = 1;
                value = value * 10 + d;
        }
        if (reader->at == start)
                reader_fail(reader, "digits");
        else if (*start == '0' && reader->at - start > 1)
                reader_fail(reader, "a number without leading zeros");
        return value;
}

static int exact(struct reader *reader) {
        return !(reader->at < reader->end && (*reader->at == '.' || *reader->at == 'e' || *reader->at == 'E'));
}

uint64_t reader_uint(struct reader *reader, uint64_t max) {
        uint64_t value;
        int over;
        char next = reader_peek(reader);

        if (next < '0' || next > '9') {
                reader_fail(reader, "an integer that is not negative");
                return 0;
        }
        value = digits(reader, &over);
        if (!exact(reader))
                reader_fail(reader, "an integer without fraction or exponent");
        if (over || value > max)
                reader_fail(reader, "an integer in its range");
        return reader->error ? 0 : value;
}

int64_t reader_int(struct reader *reader, int64_t min, int64_t max) {
        if (reader_peek(reader) == '-') {
                uint64_t value, most = min < 0 ? (uint64_t)-(min + 1) + 1 : 0;
                int over;

                reader->at++;
                value = digits(reader, &over);
                if (!exact(reader))
                        reader_fail(reader, "an integer without fraction or exponent");
                if (over || value > most)
                        reader_fail(reader, "an integer in its range");
                return reader->error ? 0 : value == 0 ? 0 : -(int64_t)(value - 1) - 1;
        }
        return (int64_t)reader_uint(reader, (uint64_t)max);
}

static void skip_number(struct reader *reader) {
        int over;

        if (*reader->at == '-')
                reader->at++;
        digits(reader, &over);
        if (reader->error)
                return;
        if (reader->at < reader->end && *reader->at == '.') {
                reader->at++;
                if (!digit(reader))
                        reader_fail(reader, "digits after '.'");
                while (digit(reader))
                        reader->at++;
        }
        if (reader->at < reader->end && (*reader->at | 32) == 'e') {
                reader->at++;
                if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-'))
                        reader->at++;
                if (!digit(reader))
                        reader_fail(reader, "digits in an exponent");
                while (digit(reader))
                        reader->at++;
        }
}

/* NOLINTBEGIN(misc-no-recursion): reader_open() fails below LIMIT_DEPTH levels */
static void skip_members(struct reader *reader, char open, char close) {
        struct string key;
        int first = 1;

        reader_open(reader, open);
        while (reader_next(reader, close, &first)) {
                if (open == '{')
                        reader_key(reader, &key);
                reader_skip(reader);
        }
}

void reader_skip(struct reader *reader) {
        struct string text;
        char next = reader_peek(reader);

        if (next == '{')
                skip_members(reader, '{', '}');
        else if (next == '[')
                skip_members(reader, '[', ']');
        else if (next == '"')
                reader_text(reader, &text);
        else if (next == '-' || (next >= '0' && next <= '9'))
                skip_number(reader);
        else if (!word(reader, "true") && !word(reader, "false") && !word(reader, "null"))
                reader_fail(reader, "a value");
}
/* NOLINTEND(misc-no-recursion) */

int reader_end(struct reader *reader) {
        if (!reader->error && (reader_peek(reader) != '\0' || reader->at != reader->end))
                reader_fail(reader, "nothing after the object");
        if (!reader->error && reader->depth != 0)
                reader_fail(reader, "an object that ends");
        return reader->error ? -EPROTO : 0;
}
