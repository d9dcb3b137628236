/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLOSER_H
#define KERNEL_CLOSER_H

struct closer {
        int fd;
        int begun;      /* whoever is killed before that has closed nothing */
};

/* closer_run() - main function of a task that closes one descriptor of the table it shares; @closer is a struct closer */
int closer_run(void *closer);

#endif /* KERNEL_CLOSER_H */
