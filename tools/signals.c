/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "say.h"
#include "signals.h"

static const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

int signals_open(int *ret_fd, struct initsync_error *reterr) {
        struct sigaction action;
        sigset_t set;
        size_t i;
        int fd;

        sigemptyset(&set);
        for (i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++) {
                if (forwarded[i] == SIGHUP && sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
                        continue;
                sigaddset(&set, forwarded[i]);
        }
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return fault_call(reterr, -errno, "sigprocmask", NULL);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return fault_call(reterr, -errno, "signalfd", NULL);
        *ret_fd = fd;
        return 0;
}

int signals_next(int fd) {
        struct signalfd_siginfo info;

        return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
