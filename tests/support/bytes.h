/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_BYTES_H
#define SUPPORT_BYTES_H

/* Bytes and texts of tests, in memory of exactly their size, so that a sanitizer sees the first one read too many. */

#include <stddef.h>
#include <stdint.h>

/* bytes_exact() - a copy without a terminator; the caller's to free() */
char *bytes_exact(const void *data, size_t n);

/* bytes_format() - as asprintf(), which cannot fail here */
char *bytes_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* bytes_repeat() - @n times the text @unit */
char *bytes_repeat(const char *unit, size_t n);

/* bytes_contain() - fails the test, showing both, where @text has no @part */
#define bytes_contain(text, part) bytes_contain_at(text, part, __FILE__, __LINE__)
void bytes_contain_at(const char *text, const char *part, const char *file, int line);

/* bytes_random() - a generator of the test's own: the same numbers everywhere for one seed */
uint32_t bytes_random(uint64_t *state);

/*
 * bytes_seed() - INITSYNC_SEED, a number or "random"; always the same without it, so that what is taken does not depend on the
 * day. Printed, so that a failure can be had again.
 */
uint64_t bytes_seed(void);

#endif /* SUPPORT_BYTES_H */
