/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/*
 * Filling struct initsync_error, without allocation and with nothing in it that a terminal would act on.
 */

#include <initsync.h>
#include "base/attr.h"

/*
 * error_set() - fill @error (may be NULL) and return @code
 *
 * The text is the formatted sentence, followed by ": " and the errno in words. @call and @path may be NULL.
 */
int error_set(struct initsync_error *error, int code, int stage, const char *call, const char *path, const char *format, ...)
        PRINTF(6, 7);

/* error_say() - as error_set(), with a text that is complete as it stands */
int error_say(struct initsync_error *error, int code, int stage, const char *call, const char *path, const char *format, ...)
        PRINTF(6, 7);

/* error_prefix() - put a formatted sentence and ": " before the text, which is cut at its end if it must be */
void error_prefix(struct initsync_error *error, const char *format, ...) PRINTF(2, 3);

/* error_clear() - nothing is known yet: no step, no mount, no request, no status */
void error_clear(struct initsync_error *error);

/* error_words() - a negative errno in words */
const char *error_words(int code);

/* error_path() - store a path, cut in front with an ellipsis */
void error_path(struct initsync_error *error, const char *path);

/*
 * text_escape() - copy @n bytes so that they can be printed: control characters and what is not UTF-8 become \xNN; cut to
 * fit on a character's boundary, always terminated. Returns the length.
 */
size_t text_escape(char *to, size_t size, const char *from, size_t n);

/* text_cut() - where to cut @n bytes that are to be cut at @at: not within a character, nor within a \xNN, but before it */
size_t text_cut(const char *s, size_t n, size_t at);

/* text_cut_front() - the same for what is cut away in front: behind it */
size_t text_cut_front(const char *s, size_t n, size_t at);

/* text_utf8() - length of the well-formed UTF-8 sequence (RFC 3629) that @n bytes begin with, 0 if none */
size_t text_utf8(const unsigned char *s, size_t n);

#endif /* BASE_ERROR_H */
