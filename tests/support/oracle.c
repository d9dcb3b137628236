/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "oracle.h"

#include <ctype.h>
#include <dirent.h>
#include <initsync.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "duo.h"
#include "private.h"
#include "process.h"

#define TASK_GUARD 65536        /* below the stack of a task; see mount/broker.c */

#define GROUP_PATIENCE 5        /* times: a whole process may have to end */

int oracle_patience_ms = 1000;

int oracle_strangers = 1;

static int grouped;

void oracle_group(void) {
        assert(setpgid(0, 0) == 0);
        grouped = 1;
}

static void pause_ms(long ms) {
        nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

void oracle_adopt(void) {
        assert(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
        oracle_strangers = 0;
}

/* A zombie that nobody has reaped yet still counts, and who reaps orphans may take long: after oracle_adopt() that is us. */
static void reap_group(int pid) {
        assert(pid > 1);
        while (waitpid(-pid, NULL, __WALL | WNOHANG) > 0)
                ;
}

int oracle_group_left(int pid) {
        int64_t end = duo_now() + GROUP_PATIENCE * oracle_patience_ms;

        for (;;) {
                reap_group(pid);
                if (process_signal_group(pid, 0) < 0)
                        return 0;
                if (duo_now() > end)
                        return 1;
                pause_ms(2);
        }
}

static void __attribute__((format(printf, 2, 3))) see(struct oracle *oracle, const char *format, ...) {
        va_list args;

        va_start(args, format);
        oracle->n += (size_t)vsnprintf(oracle->seen + oracle->n, sizeof(oracle->seen) - oracle->n, format, args);
        va_end(args);
        assert(oracle->n < sizeof(oracle->seen));
}

static int is_number(const char *text) {
        return isdigit((unsigned char)text[0]);
}

/* But the one that the list is read by. */
static void see_descriptors(struct oracle *oracle) {
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        char target[512];
        ssize_t n;

        assert(dir);
        while ((entry = readdir(dir))) {
                if (!is_number(entry->d_name) || atoi(entry->d_name) == dirfd(dir))
                        continue;
                n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                see(oracle, "descriptor %s %s\n", entry->d_name, target);
        }
        closedir(dir);
}

static void see_threads(struct oracle *oracle) {
        DIR *dir = opendir("/proc/self/task");
        struct dirent *entry;

        assert(dir);
        while ((entry = readdir(dir)))
                if (is_number(entry->d_name))
                        see(oracle, "thread %s\n", entry->d_name);
        closedir(dir);
}

static void see_namespace(struct oracle *oracle, int pid, const char *name) {
        char path[64], target[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
        n = readlink(path, target, sizeof(target) - 1);
        target[n < 0 ? 0 : n] = '\0';
        if (n > 0)
                see(oracle, "namespace of process %d %s\n", pid, target);
}

static void see_process(struct oracle *oracle, int pid) {
        char path[64], text[512], state, *name, *end;
        int parent, group;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (private_read(path, text, sizeof(text)) <= 0)
                return;
        name = strchr(text, '(');
        end = strrchr(text, ')');
        if (!name || !end || sscanf(end + 1, " %c %d %d", &state, &parent, &group) != 3)
                return;
        /* A stranger's zombie is that of whoever reaps what has lost its parent. */
        if (pid == getpid() || (parent != getpid() && (!grouped || group != getpgrp() || state == 'Z')))
                return;
        end[1] = '\0';
        see(oracle, "%s %d %s, of %d\n", state == 'Z' ? "zombie" : "process", pid, name, parent);
        see_namespace(oracle, pid, "mnt");
        see_namespace(oracle, pid, "user");
}

static void see_processes(struct oracle *oracle) {
        DIR *dir = oracle_strangers ? opendir("/proc") : NULL;
        struct dirent *entry;
        siginfo_t info = { .si_pid = 0 };

        while (dir && (entry = readdir(dir)))
                if (is_number(entry->d_name))
                        see_process(oracle, atoi(entry->d_name));
        if (dir)
                closedir(dir);
        /* What a /proc of somebody else's would not show. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0)
                see(oracle, "children %s\n", info.si_pid ? "to be reaped" : "alive");
}

static void see_stacks(struct oracle *oracle) {
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned long from, to;
        char line[512], rights[8];

        assert(maps);
        while (fgets(line, sizeof(line), maps))
                if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && strcmp(rights, "---p") == 0 &&
                    to - from == TASK_GUARD && !strchr(line, '/'))
                        see(oracle, "stack of a task, at %lx\n", to);
        fclose(maps);
        if (initsync_abandoned())
                see(oracle, "%u tasks that hang\n", initsync_abandoned());
}

static void see_lines(struct oracle *oracle, const char *path, const char *kind) {
        FILE *file = fopen(path, "re");
        char line[8192];

        assert(file);
        while (fgets(line, sizeof(line), file))
                see(oracle, "%s %s", kind, line);
        fclose(file);
}

/* Elsewhere there are everybody's. */
static void see_sockets(struct oracle *oracle) {
        FILE *file = private_counts() ? fopen("/proc/thread-self/net/unix", "re") : NULL;
        unsigned long inode;
        char line[512];

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu", &inode) == 1)
                        see(oracle, "unix socket %lu\n", inode);
        if (file)
                fclose(file);
}

void oracle_take(struct oracle *oracle) {
        oracle->n = 0;
        oracle->seen[0] = '\0';
        see_descriptors(oracle);
        see_threads(oracle);
        see_processes(oracle);
        see_stacks(oracle);
        see_lines(oracle, "/proc/self/mountinfo", "mount");
        see_sockets(oracle);
}

static int has_line(const struct oracle *oracle, const char *line, size_t n) {
        const char *at = oracle->seen;

        while ((at = strstr(at, "\n")) || at == oracle->seen) {
                at++;
                if (strncmp(at, line, n) == 0)
                        return 1;
        }
        return strncmp(oracle->seen, line, n) == 0;
}

static int tell_missing(const struct oracle *in, const struct oracle *from, const char *word, char *to, size_t size) {
        const char *at, *end;
        int wrong = 0;

        for (at = from->seen; (end = strchr(at, '\n')); at = end + 1) {
                size_t n = (size_t)(end - at) + 1, used = strlen(to);

                if (has_line(in, at, n))
                        continue;
                wrong++;
                snprintf(to + used, size - used, "%s%.*s\n", word, (int)n - 1, at);
        }
        return wrong;
}

int oracle_check(const struct oracle *before, char *to, size_t size) {
        struct oracle *now = malloc(sizeof(*now));
        int wrong, waited = 0;

        assert(now);
        for (;; waited += 5) {
                to[0] = '\0';
                oracle_take(now);
                wrong = tell_missing(before, now, "left: ", to, size) + tell_missing(now, before, "gone: ", to, size);
                if (!wrong || waited >= oracle_patience_ms)
                        break;
                pause_ms(5);
        }
        free(now);
        return wrong;
}

/* Its own last try may still count: such a namespace is cleared away some 50 ms after its process. */
static int is_too_many(int kind) {
        int waited = 0;

        while (private_too_many(kind)) {
                if (waited >= 2 * oracle_patience_ms)
                        return 1;
                pause_ms(waited < 20 ? 2 : 20);
                waited += waited < 20 ? 2 : 20;
        }
        return 0;
}

int oracle_namespaces(char *to, size_t size) {
        size_t used = 0;
        int kind, wrong = 0;

        to[0] = '\0';
        for (kind = 0; private_counts() && private_kind(kind); kind++)
                if (is_too_many(kind)) {
                        used += (size_t)snprintf(to + used, size - used, "left: a %s namespace\n", private_kind(kind));
                        wrong++;
                }
        return wrong;
}

static struct oracle at_setup;

int oracle_setup(void **state) {
        (void)state;
        oracle_take(&at_setup);
        return 0;
}

int oracle_teardown(void **state) {
        char left[4096], more[256], *line, *save;
        int wrong = oracle_check(&at_setup, left, sizeof(left)) + oracle_namespaces(more, sizeof(more));

        (void)state;
        for (line = strtok_r(left, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                printf("# %s\n", line);
        if (more[0])
                printf("# %s", more);
        return wrong ? -1 : 0;
}
