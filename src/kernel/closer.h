/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLOSER_H
#define KERNEL_CLOSER_H

/* closer_run() - main function of a task that closes one descriptor of the table it shares; @fd is its number, as a pointer */
int closer_run(void *fd);

#endif /* KERNEL_CLOSER_H */
