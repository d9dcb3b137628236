/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"
#include "session/watch.h"

/* The file is opened by number, so the pidfd is asked afterwards: a living child's number cannot have been another's. */
static int open_stat(int pidfd) {
        _cleanup_fd_ int procfs = procfs_open(), fd = -1;
        int pid = process_pid(pidfd);

        if (procfs < 0 || pid <= 0)
                return -1;
        fd = procfs_open_pid(procfs, pid, "stat", O_RDONLY);
        if (fd < 0 || sys_pidfd_send_signal(pidfd, 0) < 0)
                return -1;
        return fd_take(&fd);
}

enum watch_state watch_look(int pidfd, int *stat_fd) {
        if (*stat_fd < 0)
                *stat_fd = open_stat(pidfd);
        if (*stat_fd < 0)
                return WATCH_UNKNOWN;
        switch (process_state(*stat_fd)) {
        case 'Z':
        case 'X':
                return WATCH_HALF_DEAD;
        case 'T':
        case 't':
                return WATCH_STOPPED;
        case 0:
                return WATCH_UNKNOWN;
        default:
                return WATCH_ALIVE;
        }
}

const char *watch_status_text(int status, char *to, unsigned size) {
        if (WIFEXITED(status))
                snprintf(to, size, "exit status %d", WEXITSTATUS(status));
        else
                snprintf(to, size, "killed by signal %d%s", WTERMSIG(status), WCOREDUMP(status) ? ", core dumped" : "");
        return to;
}
