/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "hook.h"
#include "kernel.h"

#define SWEEP_MS 800            /* to kill all; with the rest, a hook's end takes a second after its timeout */
#define ROUND_MS 2

/* This /proc may be one of the container's making: the kernel is asked whether the number is a child of ours. */
static void kill_child(pid_t pid) {
        siginfo_t info;

        if (pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
                kill(pid, SIGKILL);
}

/*
 * Who left the hook's process group, by setsid() say, and lost its parent. Where there is no /proc, or one of another PID
 * namespace, they remain until the container ends, which a failed hook brings about.
 */
static void kill_children(void) {
        _cleanup_fd_ int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        char text[4096], *at = text, *end;
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        long pid;

        if (n <= 0)
                return;
        text[n] = '\0';
        /* A number that is cut off at the end of the buffer waits for the next round. */
        while ((pid = strtol(at, &end, 10)) > 0 && end != at && *end) {
                kill_child((pid_t)pid);
                at = end;
        }
}

bool hook_sweep(pid_t pid) {
        int64_t end = hook_now_ms() + SWEEP_MS;
        pid_t reaped;
        bool gone = false;

        /* The leader first: what it starts until then is in its group, or orphaned by its death. */
        kill(pid, SIGKILL);
        kill(-pid, SIGKILL);
        while (hook_now_ms() < end) {
                while ((reaped = waitpid(-1, NULL, WNOHANG | KERNEL_WALL)) > 0)
                        gone |= reaped == pid;
                if (reaped < 0)
                        return true;
                kill_children();
                poll(NULL, 0, ROUND_MS);
        }
        return gone;
}
