/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "say.h"
#include "terminal.h"

int terminal_open(struct terminal *terminal, int fd, struct initsync_error *reterr) {
        if (tcgetattr(fd, &terminal->saved) < 0)
                return fault_call(reterr, -errno, "tcgetattr", NULL);
        terminal->through = terminal->saved;
        cfmakeraw(&terminal->through);
        terminal->fd = fd;
        terminal->raw = false;
        return 0;
}

bool terminal_foreground(const struct terminal *terminal) {
        pid_t group = tcgetpgrp(terminal->fd);

        /* One that has hung up says so to whoever reads from it. */
        return group < 0 || group == getpgrp();
}

/* Without c_cflag, in which a driver refuses what its device cannot do. */
static bool same_modes(const struct termios *a, const struct termios *b) {
        return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
               memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

int terminal_raw(struct terminal *terminal) {
        if (tcsetattr(terminal->fd, TCSANOW, &terminal->through) < 0)
                return -errno;
        terminal->raw = true;
        return 0;
}

void terminal_restore(struct terminal *terminal) {
        struct termios now;
        sigset_t set, old;

        if (terminal->fd < 0)
                return;
        terminal->raw = false;
        /* A shell that has taken over has modes of its own. */
        if (tcgetattr(terminal->fd, &now) < 0 || !same_modes(&now, &terminal->through))
                return;
        /* Blocked, it does not stop a process that is no longer in the foreground. */
        sigemptyset(&set);
        sigaddset(&set, SIGTTOU);
        sigprocmask(SIG_BLOCK, &set, &old);
        tcsetattr(terminal->fd, TCSANOW, &terminal->saved);
        sigprocmask(SIG_SETMASK, &old, NULL);
}

int terminal_size(const struct terminal *terminal, struct winsize *ret_size) {
        struct winsize size;

        if (terminal->fd < 0 || ioctl(terminal->fd, TIOCGWINSZ, &size) < 0 || (size.ws_row == 0 && size.ws_col == 0))
                return -ENODATA;
        *ret_size = size;
        return 0;
}
