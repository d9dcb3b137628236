/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_LEFT_H
#define SUPPORT_LEFT_H

/*
 * What a test leaves behind: descriptors, memory mappings of tasks, processes (zombies, tasks that are no threads), threads.
 * As set-up and tear-down of each test of a group; a test that reaps all that it made leaves nothing.
 */

int left_note(void **state);
int left_check(void **state);

/* left_test() - a struct CMUnitTest of it */
#define left_test(f) { #f, f, left_note, left_check, NULL }

#endif /* SUPPORT_LEFT_H */
