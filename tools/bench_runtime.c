/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench_runtime.h"
#include "bench.h"
#include "cleanup.h"
#include "say.h"

#define SAID BENCH_PLACE "/said"        /* stderr of a first try */

static void set_argv(struct runtime *runtime, const char *const *argv) {
        size_t i;

        for (i = 0; argv[i]; i++)
                runtime->argv[i] = (char *)argv[i];
        runtime->argv[i] = runtime->id;
        runtime->argv[i + 1] = NULL;
}

void runtime_ours(struct runtime *runtime, const char *bundle) {
        const char *const argv[] = { "/proc/self/exe", "run", "--bundle", bundle, NULL };

        *runtime = (struct runtime){ .name = "ours" };
        snprintf(runtime->version, sizeof(runtime->version), "syncdemo %s", initsync_version());
        set_argv(runtime, argv);
}

void runtime_crun(struct runtime *runtime, const char *bundle) {
        const char *const argv[] = { "crun", "--root", (BENCH_PLACE "/crun"), "--cgroup-manager=disabled", "run", "--bundle", bundle,
                                     NULL };

        *runtime = (struct runtime){ .name = "crun" };
        set_argv(runtime, argv);
}

void runtime_runc(struct runtime *runtime, const char *bundle) {
        const char *const argv[] = { "runc", "--root", (BENCH_PLACE "/runc"), "run", "--bundle", bundle, NULL };

        *runtime = (struct runtime){ .name = "runc" };
        set_argv(runtime, argv);
}

void runtime_alone(struct runtime *runtime, const char *program) {
        const char *const argv[] = { program, NULL };

        *runtime = (struct runtime){ .name = "true alone", .version = "-" };
        set_argv(runtime, argv);
}

/* A name of its own for each container. */
static void name_next(struct runtime *runtime) {
        static unsigned number;

        snprintf(runtime->id, sizeof(runtime->id), "bench-%d-%u", (int)getpid(), number++);
}

static int start(struct runtime *runtime, const char *said, pid_t *ret_pid, struct initsync_error *reterr) {
        posix_spawn_file_actions_t files;
        int r;

        name_next(runtime);
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&files, 2, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        r = -posix_spawnp(ret_pid, runtime->argv[0], &files, NULL, runtime->argv, environ);
        posix_spawn_file_actions_destroy(&files);
        return r < 0 ? fault_call(reterr, r, "posix_spawn", runtime->argv[0]) : 0;
}

static int ended(const struct runtime *runtime, int status, struct initsync_error *reterr) {
        if (status == 0)
                return 0;
        return fault(reterr, -ECHILD, "%s: exit status %d", runtime->argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

int64_t runtime_once(void *data, struct initsync_error *reterr) {
        struct runtime *runtime = data;
        int64_t begin = clock_ns(), took;
        int status = 0, r;
        pid_t pid;

        r = start(runtime, "/dev/null", &pid, reterr);
        if (r < 0)
                return r;
        waitpid(pid, &status, 0);
        took = clock_ns() - begin;
        r = ended(runtime, status, reterr);
        return r < 0 ? r : took;
}

int64_t runtime_many(struct runtime *runtime, unsigned n, unsigned at_once, struct initsync_error *reterr) {
        unsigned started = 0, running = 0;
        int64_t begin = clock_ns();
        int status = 0, r = 0;
        pid_t pid;

        while (running || (started < n && r == 0)) {
                if (started < n && running < at_once && r == 0) {
                        r = start(runtime, "/dev/null", &pid, reterr);
                        started++;
                        running += r == 0;
                        continue;
                }
                if (wait(&status) < 0)
                        return fault_call(reterr, -errno, "wait", NULL);
                running--;
                if (r == 0)
                        r = ended(runtime, status, reterr);
        }
        return r < 0 ? r : clock_ns() - begin;
}

/* By fork(): after posix_spawn() what the kernel says would begin with the memory of this process. */
int64_t runtime_memory(struct runtime *runtime, struct initsync_error *reterr) {
        struct rusage usage;
        int status, null, r;
        pid_t pid;

        name_next(runtime);
        pid = fork();
        if (pid == 0) {
                null = open("/dev/null", O_RDWR);
                dup2(null, 0);
                dup2(null, 1);
                dup2(null, 2);
                execvp(runtime->argv[0], runtime->argv);
                _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        r = ended(runtime, status, reterr);
        return r < 0 ? r : usage.ru_maxrss;
}

static void first_line(FILE *file, char *to, int size) {
        if (!fgets(to, size, file))
                to[0] = '\0';
        to[strcspn(to, "\n")] = '\0';
}

static void find_version(struct runtime *runtime) {
        char command[64];
        FILE *pipe;

        snprintf(command, sizeof(command), "%s --version 2>/dev/null", runtime->name);
        pipe = popen(command, "r");     /* NOLINT(cert-env33-c): the names are ours, and PATH is the measurer's */
        if (!pipe)
                return;
        first_line(pipe, runtime->version, sizeof(runtime->version));
        pclose(pipe);
}

static void note_failure(const struct runtime *runtime, struct report *report) {
        FILE *file = fopen(SAID, "re");
        char line[160] = "";

        if (file) {
                first_line(file, line, sizeof(line));
                fclose(file);
        }
        report_note(report, "%s, left out: it cannot run this bundle here: %s", runtime->version, line);
}

int runtime_try(struct runtime *runtime, struct report *report, struct initsync_error *reterr) {
        char line[256] = "";
        size_t used = 0, i;
        int status = 0, r;
        pid_t pid;

        if (!runtime->version[0])
                find_version(runtime);
        if (!runtime->version[0]) {
                report_note(report, "%s: not installed", runtime->name);
                return 0;
        }
        r = start(runtime, SAID, &pid, reterr);
        if (r < 0)
                return r;
        waitpid(pid, &status, 0);
        if (status != 0) {
                note_failure(runtime, report);
                return 0;
        }
        for (i = 0; runtime->argv[i + 1] && used < sizeof(line); i++)
                used += (size_t)snprintf(line + used, sizeof(line) - used, " %s", runtime->argv[i]);
        if (runtime->version[0] != '-')
                report_note(report, "%s:%s ID", runtime->version, line);
        return 1;
}
