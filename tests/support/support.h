/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_H
#define SUPPORT_H

/* Included first by every test: a test whose assert() is compiled out tests nothing. */
#undef NDEBUG

/* cmocka.h needs the first four, in front of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* SANITIZED - is this a build with AddressSanitizer or ThreadSanitizer */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* SANITIZED_THREADS - is it ThreadSanitizer */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZED_THREADS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define SANITIZED_THREADS 1
#endif
#ifndef SANITIZED_THREADS
#define SANITIZED_THREADS 0
#endif

/* Of a group of tests, the one that INITSYNC_TEST names, if it is set. */
__attribute__((constructor)) static void support_select(void) {
        cmocka_set_test_filter(getenv("INITSYNC_TEST"));
}

/** support_fd_count() - how many descriptors this process has open, or a negative errno */
int support_fd_count(void);

#endif
