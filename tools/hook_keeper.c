/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "clock.h"
#include "hook.h"
#include "kernel.h"
#include "signals.h"
#include "sweep.h"

#define CHUNK 4096
#define SWEEP_MS 800            /* to kill all; with the rest, a hook's end takes a second after its timeout */

struct keeper {
        const struct hook *hook;
        struct hook_report report;
        pid_t pid;
        int pidfd, lifeline, input, output, failed;
        const char *state;              /* the part that is not written yet */
        size_t left;
        char buffer[HOOK_OUTPUT_MAX + CHUNK];
        size_t used;
};

static _Noreturn void fail(int failed, enum hook_call call) {
        struct hook_report report = { .end = HOOK_NOT_RUN, .call = call, .value = errno };

        if (write(failed, &report, sizeof(report)) < 0)
                _exit(126);
        _exit(127);
}

static _Noreturn void become(const struct hook *hook, int directory, int input, int output, int failed) {
        /* It has its own deadline, and the terminal is not its. */
        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (directory >= 0 && fchdir(directory) < 0)
                fail(failed, HOOK_FCHDIR);
        dup2(input, STDIN_FILENO);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        /* All of the few others that are open here close themselves. */
        signals_reset();
        execve(hook->path, hook->args, hook->env);
        fail(failed, HOOK_EXECVE);
}

static int not_run(struct keeper *keeper, enum hook_call call) {
        keeper->report = (struct hook_report){ .end = HOOK_NOT_RUN, .call = call, .value = errno };
        return -errno;
}

static int start(struct keeper *keeper, int directory) {
        int input[2], output[2], failed[2], fd;

        if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0)
                return not_run(keeper, HOOK_PIPE);
        /* Whoever waits for the end of our own output waits for nothing else; and the three are above 2 by now. */
        for (fd = 0; fd < 3; fd++)
                close(fd);
        keeper->pid = fork();
        if (keeper->pid < 0)
                return not_run(keeper, HOOK_FORK);
        if (keeper->pid == 0)
                become(keeper->hook, directory, input[0], output[1], failed[1]);
        close(input[0]);
        close(output[1]);
        close(failed[1]);
        keeper->input = input[1];
        keeper->output = output[0];
        keeper->failed = failed[0];
        fcntl(keeper->input, F_SETFL, O_NONBLOCK);
        fcntl(keeper->output, F_SETFL, O_NONBLOCK);
        /* Our own child, which nobody else reaps. */
        keeper->pidfd = kernel_pidfd_open(keeper->pid);
        if (keeper->pidfd < 0) {
                errno = -keeper->pidfd;
                not_run(keeper, HOOK_PIDFD_OPEN);
                sweep_group(keeper->pid, SWEEP_MS);
        }
        return keeper->pidfd < 0 ? keeper->pidfd : 0;
}

/* A hook that does not read it loses nothing but that; the signal for it is blocked. */
static void feed(struct keeper *keeper) {
        ssize_t n = write(keeper->input, keeper->state, keeper->left);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
                keeper->left = 0;
        if (n > 0) {
                keeper->state += n;
                keeper->left -= (size_t)n;
        }
        if (keeper->left == 0)
                fd_closep(&keeper->input);
}

/* The end of it is kept: what a program says last is why it failed. Returns how much there was. */
static int listen_to(struct keeper *keeper) {
        ssize_t n = read(keeper->output, keeper->buffer + keeper->used, sizeof(keeper->buffer) - keeper->used);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0) {
                fd_closep(&keeper->output);
                return 0;
        }
        keeper->used += (size_t)n;
        if (keeper->used > HOOK_OUTPUT_MAX) {
                memmove(keeper->buffer, keeper->buffer + keeper->used - HOOK_OUTPUT_MAX, HOOK_OUTPUT_MAX);
                keeper->used = HOOK_OUTPUT_MAX;
                keeper->report.cut = true;
        }
        return (int)n;
}

/* Return: 1 when the hook ended, 0 when its time is over, -1 when nobody waits for it any more. */
static int watch(struct keeper *keeper) {
        int64_t end = clock_ms() + (int64_t)keeper->hook->timeout * 1000, left;

        for (;;) {
                struct pollfd wait[] = {
                        { .fd = keeper->pidfd, .events = POLLIN },
                        { .fd = keeper->lifeline, .events = POLLIN },
                        { .fd = keeper->input, .events = POLLOUT },
                        { .fd = keeper->output, .events = POLLIN },
                };

                left = end - clock_ms();
                if (keeper->hook->timeout && left <= 0)
                        return 0;
                if (poll(wait, 4, keeper->hook->timeout ? (int)(left < INT_MAX ? left : INT_MAX) : -1) < 0)
                        continue;
                if (wait[1].revents)
                        return -1;
                if (wait[2].revents)
                        feed(keeper);
                if (wait[3].revents)
                        listen_to(keeper);
                if (wait[0].revents)
                        return 1;
        }
}

/* Without reaping it: as long as its number is its own, the group's is too. */
static bool ended_well(struct keeper *keeper) {
        siginfo_t info = { .si_pid = 0 };
        struct hook_report failure;
        int there = 0, n;

        /* What it has written until now: others may hold the pipe, and write for ever. */
        if (keeper->output >= 0)
                ioctl(keeper->output, FIONREAD, &there);
        for (; there > 0; there -= n) {
                n = listen_to(keeper);
                if (n == 0)
                        break;
        }
        /* Nothing is shown of one whom another process traces: that is no good end, and sweeping ends the tracer. */
        if (waitid(P_PID, (id_t)keeper->pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_pid == 0)
                info = (siginfo_t){ .si_code = CLD_KILLED, .si_status = SIGKILL };
        keeper->report.end = info.si_code == CLD_EXITED ? HOOK_EXITED : HOOK_KILLED;
        keeper->report.value = info.si_status;
        if (read(keeper->failed, &failure, sizeof(failure)) == sizeof(failure))
                keeper->report = failure;
        return keeper->report.end == HOOK_EXITED && keeper->report.value == 0;
}

static void keep(struct keeper *keeper) {
        int r = watch(keeper);

        if (r > 0 && ended_well(keeper))
                return;
        if (r <= 0)
                keeper->report.end = HOOK_LATE;
        keeper->report.stuck = !sweep_group(keeper->pid, SWEEP_MS);
        if (keeper->output >= 0)
                listen_to(keeper);
        memcpy(keeper->report.output, keeper->buffer, keeper->used);
        keeper->report.n = keeper->used;
}

_Noreturn void hook_keep(const struct hook *hook, const char *state, int directory, int lifeline, int report) {
        struct keeper keeper = { .hook = hook, .lifeline = lifeline, .state = state, .left = strlen(state),
                                 .pidfd = -1, .input = -1, .output = -1, .failed = -1 };

        setsid();
        /* Where it is ignored, a child's end leaves no status, and no hold on its number. */
        signal(SIGCHLD, SIG_DFL);
        /* What the hook starts and forgets comes to us. */
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        if (start(&keeper, directory) == 0)
                keep(&keeper);
        /* Nobody there to read it is no error: then nobody waits. */
        _exit(write(report, &keeper.report, sizeof(keeper.report)) < 0);
}
