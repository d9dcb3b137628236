/* SPDX-License-Identifier: MIT */
#ifndef SEALING_H
#define SEALING_H

/* Sealing the test program itself, and looking at the result. What fails is an assert(): for bodies that have a process. */

#include <initsync.h>

#define SEAL_OWN "/proc/self/exe"

/* Sizes for seal_copy(): as it is, and one that takes a while to copy. */
#define SEAL_SMALL 0L
#define SEAL_LARGE (16L << 20)

/** seal() - initsync_exe_seal(), with all that holds for its results in general; a descriptor or a negative errno */
int seal(enum initsync_seal how, struct initsync_error *reterr);

/** seal_fails() - with this code, call and word in the text */
void seal_fails(enum initsync_seal how, int code, const char *call, const char *word);

/** seal_works() - the result has the contents of @path, is sealed, cannot be changed, and runs; closes it */
void seal_works(enum initsync_seal how, const char *path);

/** seal_kind() - of a descriptor: the way it was sealed */
enum initsync_seal seal_kind(int fd);

/** seal_unchangeable() - by nothing that can be done with a name in /proc: returns how many ways were tried */
int seal_unchangeable(const char *name);

/** seal_same() - have these files the same contents */
int seal_same(const char *a, const char *b);

/** seal_copy() - copy the file at @from, with zeros behind it to @size bytes (0: none), executable; returns @to */
const char *seal_copy(const char *from, const char *to, long size);

/** seal_exec() - execute @fd in a child with these arguments (NULL-terminated); its wait status */
int seal_exec(int fd, char *const *argv);

/** seal_has_overlay() - can this kernel seal by an overlay */
int seal_has_overlay(void);

/** seal_need_overlay() - skip a forked test where it cannot */
void seal_need_overlay(void);

/** seal_works_by_overlay() - or, on an older kernel, is refused by the call that it needs */
void seal_works_by_overlay(const char *path);

/**
 * seal_main() - at the start of main(): the program was executed by seal_works(): says by its exit status that it is sealed
 */
void seal_main(int argc, char **argv);

#endif
