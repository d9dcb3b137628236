/* SPDX-License-Identifier: MIT */
#ifndef SAY_H
#define SAY_H

/*
 * What went wrong, in one line. Functions of the tool return a negative errno and fill a struct initsync_error as the
 * library does; it is printed once, where it ends up.
 */

#include <initsync.h>

/* say() - one line on stderr, "syncdemo: " in front; control characters and what is not UTF-8 appear as \xNN */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* say_to() - from now on there instead of on stderr; not with a negative @fd */
void say_to(int fd);

/* fault() - fill @reterr with a sentence and return @code */
int fault(struct initsync_error *reterr, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* fault_call() - the same for a system call: "path: call: cause"; @path may be NULL */
int fault_call(struct initsync_error *reterr, int code, const char *call, const char *path);

/* fault_in() - put a sentence and ": " before the text of @reterr, which is filled; returns its code */
int fault_in(struct initsync_error *reterr, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* SAY_H */
