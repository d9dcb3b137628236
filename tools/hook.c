/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "hook.h"
#include "kernel.h"
#include "reap.h"
#include "say.h"

#define KEEPER_MS 3000          /* for a keeper to kill what it keeps; it takes a second at most */
#define PATH_SHOWN 200

static const char *const calls[] = {
        [HOOK_PIPE] = "pipe2",
        [HOOK_FORK] = "fork",
        [HOOK_PIDFD_OPEN] = "pidfd_open",
        [HOOK_FCHDIR] = "fchdir",
        [HOOK_EXECVE] = "execve",
};

static void finish(struct hook_run *run) {
        reap(run->keeper, KEEPER_MS, NULL);
        run->keeper = 0;
        fd_closep(&run->lifeline);
        fd_closep(&run->report);
}

int hook_start(struct hook_run *run, const struct hook *hook, const char *state, int directory,
               struct initsync_error *reterr) {
        _cleanup_fd_ int lifeline_read = -1, lifeline = -1, report = -1, report_write = -1;
        sigset_t all, kept;
        int ends[2], error;
        pid_t pid;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", hook->path);
        lifeline_read = ends[0];
        lifeline = ends[1];
        if (pipe2(ends, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", hook->path);
        report = ends[0];
        report_write = ends[1];
        fflush(NULL);
        /* What is sent to a whole session must not find the keeper unprepared. */
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &kept);
        pid = fork();
        error = errno;
        if (pid == 0) {
                const int keep[] = { lifeline_read, report_write, directory };

                if (initsync_child_only(keep, directory >= 0 ? 3 : 2) < 0)
                        _exit(1);
                hook_keep(hook, state, directory, lifeline_read, report_write);
        }
        sigprocmask(SIG_SETMASK, &kept, NULL);
        if (pid < 0)
                return fault_call(reterr, -error, "fork", hook->path);
        *run = (struct hook_run){ pid, take_fd(&lifeline), take_fd(&report) };
        return 0;
}

/* What stands in an error: without the white space at its end, and with "…" where something is missing. */
static void quote(const struct hook_report *report, char *to, size_t size) {
        size_t n = report->n, i = 0, used;

        while (n > 0 && strchr(" \t\r\n", report->output[n - 1]))
                n--;
        /* The rest of a character that was cut apart. */
        while (report->cut && i < n && i < 3 && ((unsigned char)report->output[i] & 0xc0) == 0x80)
                i++;
        used = (size_t)snprintf(to, size, "%s%s", n > i ? ": " : "", n > i && report->cut ? "\xe2\x80\xa6" : "");
        for (; i < n && used + 5 <= size; i++)
                used += (size_t)snprintf(to + used, size - used, report->output[i] ? "%c" : "\\x00", report->output[i]);
}

static int explain(const struct hook *hook, const struct hook_report *report, struct initsync_error *reterr) {
        const char *stuck = report->stuck ? ", and does not end: it hangs in the kernel" : "";
        size_t n = strlen(hook->path);
        const char *path = n > PATH_SHOWN ? hook->path + n - PATH_SHOWN : hook->path;
        char output[4 * HOOK_OUTPUT_MAX + 16];

        quote(report, output, sizeof(output));
        switch (report->end) {
        case HOOK_EXITED:
                if (report->value == 0)
                        return 0;
                return fault(reterr, -ECANCELED, "%s: exit status %d%s", path, report->value, output);
        case HOOK_KILLED:
                return fault(reterr, -ECANCELED, "%s: killed by signal %d (%s)%s", path, report->value,
                             strsignal(report->value), output);
        case HOOK_LATE:
                return fault(reterr, -ETIME, "%s: killed after its timeout of %d s%s%s", path, hook->timeout, stuck, output);
        case HOOK_NOT_RUN:
                break;
        }
        return fault_call(reterr, -report->value, calls[report->call], hook->path);
}

/* It is a process of ours; but those of the container may be of the same user. */
static bool makes_sense(const struct hook_report *report) {
        return (unsigned)report->end <= HOOK_NOT_RUN && (unsigned)report->call <= HOOK_EXECVE && report->n <= HOOK_OUTPUT_MAX;
}

int hook_result(struct hook_run *run, const struct hook *hook, struct initsync_error *reterr) {
        struct hook_report report;
        ssize_t n;

        memset(&report, 0, sizeof(report));
        do
                n = read(run->report, &report, sizeof(report));
        while (n < 0 && errno == EINTR);
        /* Somebody killed it: with it, the hook. Or traces it, and had it say what it never says. */
        if (n != sizeof(report) || !makes_sense(&report)) {
                hook_kill(run);
                return fault(reterr, -ECANCELED, "%s: the process that watches over it was killed", hook->path);
        }
        finish(run);
        return explain(hook, &report, reterr);
}

void hook_kill(struct hook_run *run) {
        if (run->keeper <= 0)
                return;
        fd_closep(&run->lifeline);
        finish(run);
}
