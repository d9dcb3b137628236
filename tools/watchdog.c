/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include "cleanup.h"
#include "kernel.h"
#include "reap.h"
#include "say.h"
#include "watchdog.h"

#define END_MS 3000             /* for it to see that we are gone, on a busy machine */

static _Noreturn void watch(int lifeline, int pidfd, struct terminal terminal) {
        int keep[] = { lifeline, pidfd, -1 };
        sigset_t all;
        char byte;
        int fd;

        /* What is sent to a whole session or process group is not for it. */
        setsid();
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        /* Its own copy of the other end, first of all; and whoever waits for the end of our output waits for nothing else. */
        if (terminal.fd >= 0)
                keep[2] = terminal.fd = fcntl(terminal.fd, F_DUPFD_CLOEXEC, 3);
        initsync_child_only(keep, terminal.fd >= 0 ? 3 : 2);
        for (fd = 0; fd < 3; fd++)
                close(fd);
        while (read(lifeline, &byte, 1) < 0 && errno == EINTR)
                continue;
        terminal_restore(&terminal);    /* first: a shell may be about to use it */
        kernel_pidfd_send_signal(pidfd, SIGKILL);
        _exit(0);
}

int watchdog_start(struct watchdog *watchdog, int pidfd, const struct terminal *terminal, struct initsync_error *reterr) {
        _cleanup_fd_ int theirs = -1;
        int ends[2];
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        theirs = ends[0];
        watchdog->lifeline = ends[1];
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        if (pid == 0)
                watch(theirs, pidfd, *terminal);
        watchdog->pid = pid;
        return 0;
}

void watchdog_end(struct watchdog *watchdog) {
        fd_closep(&watchdog->lifeline);
        if (watchdog->pid > 0)
                reap(watchdog->pid, END_MS, NULL);
        watchdog->pid = 0;
}
