/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
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

/*
 * What was ignored or blocked stays so across execve(). By the system call, since the C library keeps the signals to itself
 * that it uses for threads; all zero is SIG_DFL in the kernel's struct sigaction of every architecture.
 */
void signals_reset(void) {
        const unsigned long action[8] = { 0 };
        sigset_t none;
        int i;

        for (i = 1; i < _NSIG; i++)
                syscall(SYS_rt_sigaction, i, action, NULL, _NSIG / 8);  /* fails for two, which cannot be ignored either */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}
