/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "wire/object.h"

int object_is(const struct string *string, const char *text) {
        return strlen(text) == string->length && memcmp(string->data, text, string->length) == 0;
}

const char *object_text(struct reader *reader, size_t max) {
        struct string text;

        reader_text(reader, &text);
        if (strlen(text.data) != text.length)
                reader_fail(reader, "a string without NUL");
        if (text.length > max)
                reader_fail(reader, "a shorter string");
        return text.data;
}

/* Where the text is kept as it is a key still has its escapes, which no known key needs. */
static size_t find(const struct object_field *fields, size_t n, const struct string *key) {
        size_t i;

        for (i = 0; i < n; i++)
                if (strlen(fields[i].name) == key->length && memcmp(fields[i].name, key->data, key->length) == 0)
                        break;
        return i;
}

static void read_member(struct reader *reader, const struct object_field *field, unsigned bit, unsigned *seen, unsigned *there,
                        void *to) {
        if (reader->n_path < LIMIT_DEPTH)
                reader->path[reader->n_path++] = field->name;
        if (*seen & bit)
                reader_fail(reader, "the key once");
        *seen |= bit;
        if (!reader_null(reader)) {
                field->read(reader, to);
                *there |= bit;
        }
        if (!reader->error)               /* else the path tells where */
                reader->n_path--;
}

void object_read(struct reader *reader, const struct object_field *fields, size_t n, unsigned required, void *to) {
        struct string key;
        unsigned seen = 0, there = 0;
        int first = 1;
        size_t i;

        reader_open(reader, '{');
        while (reader_next(reader, '}', &first)) {
                reader_key(reader, &key);
                i = reader->error ? n : find(fields, n, &key);
                if (i < n)
                        read_member(reader, &fields[i], 1u << i, &seen, &there, to);
                else
                        reader_skip(reader);
        }
        for (i = 0; i < n && !reader->error; i++) {
                if (required & 1u << i && !(there & 1u << i)) {
                        if (reader->n_path < LIMIT_DEPTH)
                                reader->path[reader->n_path++] = fields[i].name;
                        reader_fail(reader, "the key to be there");
                }
        }
}
