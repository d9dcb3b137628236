/* SPDX-License-Identifier: MIT */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/* Attributes and the few macros that all layers share. */

#define PUBLIC __attribute__((visibility("default")))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define CLEANUP(f) __attribute__((cleanup(f)))

/*
 * RAW marks a function that may run in a task which shares this process's memory but is no thread of it: without thread
 * local storage of its own there is no errno, no stack protector canary and no sanitizer state to be had there.
 */
#if defined(__clang__)
#define RAW __attribute__((no_sanitize("all"), disable_sanitizer_instrumentation))
#else
#define RAW __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* BASE_ATTR_H */
