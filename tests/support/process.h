/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_PROCESS_H
#define SUPPORT_PROCESS_H

/* Looking for what is left: children of every kind, descriptors, processes that should be gone. */

#include <stddef.h>

/** process_none() - has this process no child at all, dead or alive, of whatever exit signal */
int process_none(void);

/** process_gone() - wait up to @ms milliseconds for the process of @pidfd to end; is it */
int process_gone(int pidfd, int ms);

/** process_fork() - as fork(2); the child dies with its parent, however that ends */
int process_fork(void);

/** process_end() - kill a child and reap it */
void process_end(int pid);

/** descriptors() - of process @pid (0: this one), "NUMBER TARGET" a line, into @to; returns how many there are */
int descriptors(int pid, char *to, size_t size);

/** milliseconds() - of a clock that only goes forward */
long milliseconds(void);

#endif
