/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "clock.h"
#include "kernel.h"
#include "reap.h"

#define ROUND_MS 5

/* Where there is no descriptor left for one, the rounds alone. */
static bool wait_until(pid_t pid, int signal, int64_t end, int *ret_status) {
        _cleanup_fd_ int pidfd = kernel_pidfd_open(pid);
        struct pollfd ended = { .fd = pidfd, .events = POLLIN };
        pid_t r;

        for (;;) {
                r = waitpid(pid, ret_status, WNOHANG | KERNEL_WALL);
                if (r < 0 && errno == ECHILD)
                        *ret_status = 0;        /* somebody else reaped it */
                if (r == pid || (r < 0 && errno == ECHILD))
                        return true;
                if (clock_ms() >= end)
                        return false;
                kill(pid, signal);      /* not reaped, so that the number is its own */
                if (poll(&ended, 1, ROUND_MS) > 0)
                        ended.fd = -1;          /* a tracer may keep it from us: no faster than in rounds */
        }
}

bool reap(pid_t pid, int timeout_ms, int *ret_status) {
        int unused;

        if (wait_until(pid, SIGCONT, clock_ms() + timeout_ms, ret_status ? ret_status : &unused))
                return true;
        wait_until(pid, SIGKILL, clock_ms() + REAP_KILLED_MS, &unused);
        return false;
}
