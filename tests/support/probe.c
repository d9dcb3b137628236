/* SPDX-License-Identifier: MIT */

/*
 * What a container's program sees of itself, as one JSON object on standard output. `probe KEY...` prints those keys only.
 * `probe PATH...` prints what there is at those paths too. Statically linked, so that it runs in any root file system.
 * To add a key: a function in the file of its kind, a line in probe.h, and a row in the table at the end.
 * `probe replace N` is another thing: N processes, each of which starts its successor and ends, for 8 seconds.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "support/probe.h"

static char **arguments;

void put_string(const char *text) {
        putchar('"');
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        printf("\\%c", *text);
                else if ((unsigned char)*text < 0x20)
                        printf("\\u%04x", (unsigned)*text);
                else
                        putchar(*text);
        }
        putchar('"');
}

void put_error(const char *what) {
        printf("\"%s: %s\"", what, strerror(errno));
}

void put_file(const char *path) {
        static char text[1 << 20];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t used = 0;
        ssize_t n;

        if (fd < 0) {
                put_error("open");
                return;
        }
        while ((n = read(fd, text + used, sizeof(text) - used - 1)) > 0)
                used += (size_t)n;
        close(fd);
        text[used] = '\0';
        put_string(text);
}

static void put_strings(char **strings) {
        const char *comma = "";

        putchar('[');
        for (; *strings; strings++, comma = ", ") {
                fputs(comma, stdout);
                put_string(*strings);
        }
        putchar(']');
}

static void put_args(void) {
        put_strings(arguments);
}

static void put_env(void) {
        put_strings(environ);
}

static const struct {
        const char *name;
        void (*put)(void);
} keys[] = {
        { "args", put_args },
        { "env", put_env },
        { "ids", put_ids },
        { "uids", put_uids },
        { "gids", put_gids },
        { "groups", put_groups },
        { "umask", put_umask },
        { "cwd", put_cwd },
        { "hostname", put_hostname },
        { "domainname", put_domainname },
        { "caps", put_caps },
        { "rlimits", put_rlimits },
        { "no_new_privs", put_no_new_privs },
        { "securebits", put_securebits },
        { "keepcaps", put_keepcaps },
        { "dumpable", put_dumpable },
        { "pdeathsig", put_pdeathsig },
        { "signals", put_signals },
        { "descriptors", put_descriptors },
        { "namespaces", put_namespaces },
        { "oom_score_adj", put_oom_score_adj },
        { "uid_map", put_uid_map },
        { "gid_map", put_gid_map },
        { "setgroups", put_setgroups },
        { "cgroup", put_cgroup },
        { "devices", put_devices },
        { "mountinfo", put_mountinfo },
        { "scheduler", put_scheduler },
        { "io_priority", put_io_priority },
        { "machine", put_machine },
        { "memory_policy", put_memory_policy },
        { "clocks", put_clocks },
        { "seccomp", put_seccomp },
        { "personality", put_personality },
        { "affinity", put_affinity },
        { "terminal", put_terminal },
        { "attributes", put_attributes },
        { "keyring", put_keyring },
};

static bool wanted(const char *name) {
        bool any = false;
        char **argument;

        for (argument = arguments + 1; arguments[0] && *argument; argument++) {
                if (strcmp(*argument, name) == 0)
                        return true;
                any = any || **argument != '/';
        }
        return !any;
}

/* Each in a session of its own: there is nothing by which all could be killed at once. */
static _Noreturn void replace(int n) {
        time_t end = time(NULL) + 8;

        while (n-- > 0)
                if (fork() == 0) {
                        close(STDOUT_FILENO);
                        close(STDERR_FILENO);
                        while (time(NULL) < end) {
                                setsid();
                                if (fork() > 0)
                                        break;
                        }
                        _exit(0);
                }
        usleep(100000);
        _exit(3);
}

int main(int argc, char **argv) {
        const char *comma = "{\n";
        size_t i;

        if (argc == 3 && strcmp(argv[1], "replace") == 0)
                replace(atoi(argv[2]));
        arguments = argv;
        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (!wanted(keys[i].name))
                        continue;
                printf("%s\"%s\": ", comma, keys[i].name);
                keys[i].put();
                comma = ",\n";
        }
        for (i = 1; argc > 1 && argv[i]; i++) {
                if (argv[i][0] != '/')
                        continue;
                fputs(comma, stdout);
                put_string(argv[i]);
                fputs(": ", stdout);
                put_path(argv[i]);
                comma = ",\n";
        }
        puts(comma[0] == '{' ? "{}" : "\n}");
        return fflush(stdout) != 0;
}
