/* SPDX-License-Identifier: MIT */
#ifndef SUPERVISED_H
#define SUPERVISED_H

/* A system call that somebody else answers: for each call as it comes, from another thread of the same process. */

#include <sys/types.h>

#define SUPERVISED_GO_ON 1000000000L    /* the kernel makes it after all */

/**
 * supervised() - from here on @answer says what the calling thread's system call @number returns
 * @answer:     gets how many there were before; returns a result, a negative errno, or SUPERVISED_GO_ON
 *
 * There is no way back: for processes that end soon.
 */
void supervised(int number, long (*answer)(int call));

/** supervised_calls() - how many there were so far */
int supervised_calls(void);

/** sendfile_of_supervisor() - for @answer: sendfile(2) itself */
ssize_t sendfile_of_supervisor(int to, int from, size_t n);

#endif
