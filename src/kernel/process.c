/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "base/number.h"
#include "kernel/clock.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"

int process_dead(int pidfd) {
        struct pollfd waiting = { .fd = pidfd, .events = POLLIN };
        static const struct timespec now;

        return sys_poll(&waiting, 1, &now) > 0;
}

int process_wait(int pidfd, int timeout_ms) {
        struct pollfd waiting = { .fd = pidfd, .events = POLLIN };
        uint64_t deadline = clock_deadline(timeout_ms);
        struct timespec left;
        int r;

        do {
                clock_left(deadline, &left);
                r = sys_poll(&waiting, 1, &left);
        } while (r == -EINTR);
        return r > 0;
}

static int status_of(const siginfo_t *info) {
        switch (info->si_code) {
        case CLD_EXITED:
                return (info->si_status & 0xff) << 8;
        case CLD_DUMPED:
                return (info->si_status & 0x7f) | 0x80;
        default:
                return info->si_status & 0x7f;
        }
}

int process_status(int pidfd, int *ret_status) {
        struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_EXIT };
        siginfo_t child;
        int r;

        memset(&child, 0, sizeof(child));
        do
                r = sys_waitid(SYS_P_PIDFD, pidfd, &child, WEXITED | WNOHANG | WNOWAIT | SYS_WALL);
        while (r == -EINTR);
        if (r == 0 && child.si_pid) {
                *ret_status = status_of(&child);
                return 1;
        }
        /* Not ours, or reaped by somebody: the pidfd itself may remember. */
        if (sys_ioctl(pidfd, SYS_PIDFD_GET_INFO, &info) == 0 && info.mask & SYS_PIDFD_INFO_EXIT) {
                *ret_status = info.exit_code;
                return 1;
        }
        return 0;
}

int process_pid(int pidfd) {
        struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_PID };
        _cleanup_fd_ int procfs = -1, fd = -1;
        char name[32], text[1024];
        const char *line;
        uint64_t pid;
        ssize_t n;

        if (sys_ioctl(pidfd, SYS_PIDFD_GET_INFO, &info) == 0)
                return (int)info.pid;
        procfs = procfs_open();
        if (procfs < 0)
                return procfs;
        snprintf(name, sizeof(name), "fdinfo/%d", pidfd);
        fd = procfs_open_pid(procfs, sys_getpid(), name, O_RDONLY);
        if (fd < 0)
                return fd;
        n = sys_read(fd, text, sizeof(text) - 1);
        if (n < 0)
                return (int)n;
        text[n] = '\0';
        line = strstr(text, "Pid:\t");
        if (!line)
                return -EBADF;
        line += 5;
        return number_read(&line, INT32_MAX, &pid) < 0 || pid == 0 ? -ESRCH : (int)pid;
}

char process_state(int stat_fd) {
        char text[512];
        const char *end;
        ssize_t n = sys_pread(stat_fd, text, sizeof(text) - 1, 0);

        if (n <= 0)
                return 0;
        text[n] = '\0';
        end = strrchr(text, ')');       /* the name before it may hold anything */
        return end && end[1] == ' ' ? end[2] : 0;
}

int process_kill(int pidfd) {
        int r = sys_pidfd_send_signal(pidfd, SIGKILL);

        return r == -ESRCH ? 0 : r;
}
