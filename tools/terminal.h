/* SPDX-License-Identifier: MIT */
#ifndef TERMINAL_H
#define TERMINAL_H

/*
 * The terminal that this process was started on, in the foreground of which a container's terminal is shown.
 */

#include <stdbool.h>
#include <termios.h>
#include <sys/ioctl.h>
#include <initsync.h>

struct terminal {
        int fd;                         /* not owned; -1: there is none */
        bool raw;                       /* it has the modes of @through, as far as we know */
        struct termios saved;           /* as it was found */
        struct termios through;         /* raw: echo, editing and signals are left to the container's terminal */
};
#define TERMINAL_NONE { .fd = -1 }

/* terminal_open() - take @fd, which must be a terminal, and remember its modes; -ENOTTY when it is none */
int terminal_open(struct terminal *terminal, int fd, struct initsync_error *reterr);

/* terminal_foreground() - whether it is ours to read and to set; one without job control, or that is gone, always is */
bool terminal_foreground(const struct terminal *terminal);

/* terminal_raw() - give it the modes in which all goes through; in the foreground only. Return: 0 or a negative errno */
int terminal_raw(struct terminal *terminal);

/*
 * terminal_restore() - give it the modes back that it was found with, unless somebody has set others meanwhile
 *
 * In any process that has the descriptor, also of another session, and also in the background.
 */
void terminal_restore(struct terminal *terminal);

/* terminal_size() - 0 and its size; -ENODATA when it does not know one */
int terminal_size(const struct terminal *terminal, struct winsize *ret_size);

#endif /* TERMINAL_H */
