/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ORIGIN_H
#define KERNEL_ORIGIN_H

/*
 * origin() - a number that is another in each process: an object that remembers it knows a forked copy of itself
 *
 * A pid would not do: the init of a new pid namespace may have the pid of its parent. No system call but for the first time.
 */
unsigned long origin(void);

#endif /* KERNEL_ORIGIN_H */
