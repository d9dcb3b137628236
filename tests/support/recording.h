/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_RECORDING_H
#define SUPPORT_RECORDING_H

/*
 * Recorded conversations: those of tests/conversations ("c", "p", "p+fd" lines), and what a runtime logged of its own
 * ("write" and "read" lines of the same messages).
 */

#include <stddef.h>

struct recording_line {
        char word[8];
        char *text;                     /* the rest of the line: the packet's bytes */
        size_t n;
};

struct recording {
        char *path;
        struct recording_line *lines;
        size_t n;
};

/* recording_each() - call @look for every .txt file in @folder, in the order of names; returns how many there were */
size_t recording_each(const char *folder, void (*look)(const struct recording *recording, void *to), void *to);

/* recording_folder() - tests/conversations of the source tree */
const char *recording_folder(void);

#endif /* SUPPORT_RECORDING_H */
