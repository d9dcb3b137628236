/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "clock.h"
#include "kernel.h"
#include "map_helper.h"
#include "say.h"

#define HELPER_MS 5000          /* milliseconds as a rule; longer where users come from a directory service */
#define KILLED_MS 1000
#define OUTPUT_MAX 300

const char *map_helper_find(const char *name) {
        static const char *const all[] = {
                "/usr/bin/newuidmap", "/usr/bin/newgidmap", "/usr/local/bin/newuidmap", "/usr/local/bin/newgidmap",
                "/run/wrappers/bin/newuidmap", "/run/wrappers/bin/newgidmap",
        };
        size_t i;

        for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                if (strcmp(strrchr(all[i], '/') + 1, name) == 0 && access(all[i], F_OK) == 0)
                        return all[i];
        return NULL;
}

/* "newuidmap PID INSIDE OUTSIDE COUNT ...", in one piece of memory. */
static char **make_arguments(const char *program, pid_t pid, const struct bundle_map *map) {
        size_t n = 2 + 3 * map->n, i;
        char **args = calloc(1, (n + 1) * sizeof(*args) + n * 16 + strlen(program) + 1);
        char *text;

        if (!args)
                return NULL;
        text = (char *)(args + n + 1);
        for (i = 1; i < n; i++, text += 16)
                args[i] = text;
        args[0] = strcpy(text, program);
        snprintf(args[1], 16, "%d", (int)pid);
        for (i = 0; i < map->n; i++) {
                snprintf(args[2 + 3 * i], 16, "%u", map->extents[i].inside);
                snprintf(args[3 + 3 * i], 16, "%u", map->extents[i].outside);
                snprintf(args[4 + 3 * i], 16, "%u", map->extents[i].count);
        }
        return args;
}

static _Noreturn void execute(char **args, int output, pid_t parent) {
        char language[] = "LC_ALL=C", *env[] = { language, NULL };
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        /* One that gains rights by its execution forgets it, and ends by itself. */
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != parent)
                _exit(127);
        if (null < 0 || chdir("/") < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(output, 2) < 0)
                _exit(127);
        if (initsync_child_only(NULL, 0) < 0)
                _exit(127);
        execve(args[0], args, env);
        dprintf(2, "execve: %s", strerror(errno));
        _exit(127);
}

/* All that it says, until it ends; what does not fit is dropped. */
static int attend(int pidfd, int output, char *text, size_t size) {
        struct pollfd wait[] = { { .fd = output, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
        int64_t end = clock_ms() + HELPER_MS, left;
        size_t used = 0;
        char rest[256];
        ssize_t n;

        while (!wait[1].revents) {
                left = end - clock_ms();
                if (left <= 0)
                        return -ETIME;
                if (poll(wait, 2, (int)left) <= 0)
                        continue;
                n = wait[0].revents ? read(output, rest, sizeof(rest)) : 0;
                if (wait[0].revents && n <= 0)
                        wait[0].fd = -1;
                if (n > 0 && used + (size_t)n < size) {
                        memcpy(text + used, rest, (size_t)n);
                        used += (size_t)n;
                }
                /* What it said last is read before its end is looked at. */
                if (n > 0)
                        wait[1].revents = 0;
        }
        text[used] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return 0;
}

static int finish(const char *program, pid_t pid, int output, struct initsync_error *reterr) {
        _cleanup_fd_ int pidfd = kernel_pidfd_open(pid);
        struct pollfd ended = { .fd = pidfd, .events = POLLIN };
        char text[OUTPUT_MAX + 1] = "";
        int status = 0, r;

        r = pidfd < 0 ? pidfd : attend(pidfd, output, text, sizeof(text));
        if (r < 0) {
                /* Its real user is still ours. */
                kill(pid, SIGKILL);
                if (pidfd < 0 || poll(&ended, 1, KILLED_MS) > 0)
                        waitpid(pid, NULL, 0);
                return r == -ETIME ? fault(reterr, r, "%s: no end after %d seconds", program, HELPER_MS / 1000) :
                                     fault_call(reterr, r, "pidfd_open", program);
        }
        waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        return fault(reterr, -EPERM, "%s: %s %d%s%s", program, WIFEXITED(status) ? "exit status" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), text[0] ? ": " : "", text);
}

int map_helper_run(const char *program, pid_t pid, const struct bundle_map *map, struct initsync_error *reterr) {
        _cleanup_free_ char **args = make_arguments(program, pid, map);
        _cleanup_fd_ int output = -1, theirs = -1;
        const pid_t self = getpid();
        int ends[2];
        pid_t helper;

        if (!args)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        if (pipe2(ends, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        output = ends[0];
        theirs = ends[1];
        fflush(NULL);
        helper = fork();
        if (helper < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        if (helper == 0)
                execute(args, theirs, self);
        fd_closep(&theirs);
        return finish(program, helper, output, reterr);
}
