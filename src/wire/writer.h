/* SPDX-License-Identifier: MIT */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

/*
 * Writes JSON text piece by piece, as json-c does without its escape of '/', which Go does not escape either: the bytes would differ.
 * A writer that had no memory, or no room, stays failed; callers look once, at the end.
 */

#include <stddef.h>
#include <stdint.h>

struct writer {
        char *text;
        size_t n, room;
        int fixed;                      /* @text is the caller's, and all there is */
        int failed;
};

/* writer_raw() - @text as it is: brackets, keys, what needs no escape */
void writer_raw(struct writer *writer, const char *text);

/* writer_text() - a string in quotes; @text is UTF-8 */
void writer_text(struct writer *writer, const char *text);

void writer_number(struct writer *writer, uint64_t number);
void writer_signed(struct writer *writer, int64_t number);

/* writer_take() - the text, to be freed, and its length; -ENOMEM, -EMSGSIZE for more than @max bytes */
int writer_take(struct writer *writer, size_t max, char **ret);

#endif /* WIRE_WRITER_H */
