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

/** process_copy() - as fork(2), but never fails: while the system has no room for one more (EAGAIN) it waits, for a minute at most */
int process_copy(void);

/**
 * process_signal(), process_signal_group() - as kill(2), of one process or of the group that @pid leads
 *
 * A number that would mean init, the caller's own group, or everybody, as that of a fork(2) that failed does, is a bug of the test.
 */
int process_signal(int pid, int number);
int process_signal_group(int pid, int number);

/** process_end() - kill a child and reap it */
void process_end(int pid);

/* process_trace() - a process that traces @pid, and is stopped; to be ended with process_end() */
int process_trace(int pid);

/** descriptors() - of process @pid (0: this one), "NUMBER TARGET" a line, into @to; returns how many there are */
int descriptors(int pid, char *to, size_t size);

/** milliseconds() - of a clock that only goes forward */
long milliseconds(void);

#endif
