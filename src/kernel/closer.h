/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLOSER_H
#define KERNEL_CLOSER_H

struct closer {
        int fd;
        int begun;      /* whoever is killed before that has closed nothing */
};

/* closer_run() - main function of a task that closes one descriptor of the table it shares; @arg is a struct closer */
int closer_run(void *arg);

#endif /* KERNEL_CLOSER_H */
