/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "wire/writer.h"

static void put(struct writer *writer, const char *data, size_t n) {
        if (writer->failed)
                return;
        if (writer->room - writer->n < n + 1) {
                size_t room = 2 * writer->room + n + 512;
                char *text = writer->fixed ? NULL : realloc(writer->text, room);

                if (!text) {
                        writer->failed = 1;
                        return;
                }
                writer->text = text;
                writer->room = room;
        }
        memcpy(writer->text + writer->n, data, n);
        writer->n += n;
}

void writer_raw(struct writer *writer, const char *text) {
        put(writer, text, strlen(text));
}

/* Two bytes where JSON has a short form, six for the rest of the control characters; returns how many. */
static size_t escape(unsigned char c, char to[static 6]) {
        static const char hex[] = "0123456789abcdef", shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
        const char *found;

        for (found = shorts; *found; found += 2) {
                if ((unsigned char)*found == c) {
                        to[0] = '\\';
                        to[1] = found[1];
                        return 2;
                }
        }
        memcpy(to, "\\u00", 4);      /* NOLINT(bugprone-not-null-terminated-result): six bytes, not a string */
        to[4] = hex[c >> 4];
        to[5] = hex[c & 15];
        return 6;
}

void writer_text(struct writer *writer, const char *text) {
        const char *plain = text;
        char escaped[6];

        put(writer, "\"", 1);
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                put(writer, plain, (size_t)(text - plain));
                put(writer, escaped, escape(c, escaped));
                plain = text + 1;
        }
        put(writer, plain, (size_t)(text - plain));
        put(writer, "\"", 1);
}

void writer_number(struct writer *writer, uint64_t number) {
        char digits[20];
        size_t at = sizeof(digits);

        do
                digits[--at] = (char)('0' + number % 10);
        while (number /= 10);
        put(writer, digits + at, sizeof(digits) - at);
}

void writer_signed(struct writer *writer, int64_t number) {
        if (number < 0)
                put(writer, "-", 1);
        writer_number(writer, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

int writer_take(struct writer *writer, size_t max, char **ret) {
        if (writer->failed || writer->n > max) {
                free(writer->text);
                return writer->failed ? -ENOMEM : -EMSGSIZE;
        }
        writer->text[writer->n] = '\0';
        *ret = writer->text;
        return (int)writer->n;
}
