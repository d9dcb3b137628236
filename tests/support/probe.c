/* SPDX-License-Identifier: MIT */

/*
 * What a container's program sees of itself, as one JSON object on standard output. `probe KEY...` prints those keys only.
 * `probe PATH...` prints what there is at those paths too. Statically linked, so that it runs in any root file system.
 * To add a key: a function, and a row in the table at the end.
 * `probe replace N` is another thing: N processes, each of which starts its successor and ends, for 8 seconds.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <linux/capability.h>
#include "support/probe.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_IS_SET 1
#endif

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

static void put_uids(void) {
        uid_t ids[3] = { 0 };

        if (getresuid(&ids[0], &ids[1], &ids[2]) < 0)
                put_error("getresuid");
        else
                printf("[%u, %u, %u]", ids[0], ids[1], ids[2]);
}

static void put_gids(void) {
        gid_t ids[3] = { 0 };

        if (getresgid(&ids[0], &ids[1], &ids[2]) < 0)
                put_error("getresgid");
        else
                printf("[%u, %u, %u]", ids[0], ids[1], ids[2]);
}

static void put_groups(void) {
        static gid_t groups[65536];
        int n = getgroups(65536, groups), i;

        putchar('[');
        for (i = 0; i < n; i++)
                printf("%s%u", i ? ", " : "", groups[i]);
        putchar(']');
}

static void put_umask(void) {
        mode_t mask = umask(0);

        printf("%u", (unsigned)mask);
        umask(mask);
}

static void put_cwd(void) {
        char path[4096];

        /* The system call itself: the C library hides a directory outside of the root. */
        if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
                put_error("getcwd");
        else
                put_string(path);
}

static void put_hostname(void) {
        struct utsname name;

        uname(&name);
        put_string(name.nodename);
}

static void put_domainname(void) {
        struct utsname name;

        uname(&name);
        put_string(name.domainname);
}

static void put_set(const char *name, uint64_t set, const char *end) {
        printf("\"%s\": \"%016llx\"%s", name, (unsigned long long)set, end);
}

static uint64_t prctl_set(int option, int what) {
        uint64_t set = 0;
        int i;

        for (i = 0; i < 64; i++)
                if (prctl(option, what < 0 ? i : what, what < 0 ? 0 : i, 0, 0) == 1)
                        set |= UINT64_C(1) << i;
        return set;
}

static void put_caps(void) {
        struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

        if (syscall(SYS_capget, &header, data) < 0) {
                put_error("capget");
                return;
        }
        putchar('{');
        put_set("effective", data[0].effective | (uint64_t)data[1].effective << 32, ", ");
        put_set("permitted", data[0].permitted | (uint64_t)data[1].permitted << 32, ", ");
        put_set("inheritable", data[0].inheritable | (uint64_t)data[1].inheritable << 32, ", ");
        put_set("bounding", prctl_set(PR_CAPBSET_READ, -1), ", ");
        put_set("ambient", prctl_set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET), "}");
}

static void put_rlimits(void) {
        static const struct {
                const char *name;
                int resource;
        } known[] = {
                { "AS", RLIMIT_AS }, { "CORE", RLIMIT_CORE }, { "CPU", RLIMIT_CPU }, { "DATA", RLIMIT_DATA },
                { "FSIZE", RLIMIT_FSIZE }, { "LOCKS", RLIMIT_LOCKS }, { "MEMLOCK", RLIMIT_MEMLOCK },
                { "MSGQUEUE", RLIMIT_MSGQUEUE }, { "NICE", RLIMIT_NICE }, { "NOFILE", RLIMIT_NOFILE },
                { "NPROC", RLIMIT_NPROC }, { "RSS", RLIMIT_RSS }, { "RTPRIO", RLIMIT_RTPRIO },
                { "RTTIME", RLIMIT_RTTIME }, { "SIGPENDING", RLIMIT_SIGPENDING }, { "STACK", RLIMIT_STACK },
        };
        struct rlimit limit;
        size_t i;

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                getrlimit(known[i].resource, &limit);
                printf("%s\"RLIMIT_%s\": [%llu, %llu]", i ? ", " : "{", known[i].name,
                       (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
        }
        putchar('}');
}

static void put_prctl(int option) {
        int r = prctl(option, 0, 0, 0, 0);

        if (r < 0)
                put_error("prctl");
        else
                printf("%d", r);
}

static void put_no_new_privs(void) {
        put_prctl(PR_GET_NO_NEW_PRIVS);
}

static void put_securebits(void) {
        put_prctl(PR_GET_SECUREBITS);
}

static void put_dumpable(void) {
        put_prctl(PR_GET_DUMPABLE);
}

static void put_keepcaps(void) {
        put_prctl(PR_GET_KEEPCAPS);
}

static void put_pdeathsig(void) {
        int number = 0;

        prctl(PR_GET_PDEATHSIG, &number);
        printf("%d", number);
}

static void put_ids(void) {
        printf("{\"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d}", getpid(), getppid(), getpgrp(), getsid(0));
}

/* Numbers of the signals that are blocked and ignored. */
static void put_signals(void) {
        const char *comma = "";
        struct sigaction action;
        sigset_t blocked;
        int i;

        sigprocmask(SIG_SETMASK, NULL, &blocked);
        printf("{\"blocked\": [");
        for (i = 1; i < 65; i++) {
                if (sigismember(&blocked, i) == 1) {
                        printf("%s%d", comma, i);
                        comma = ", ";
                }
        }
        printf("], \"ignored\": [");
        for (i = 1, comma = ""; i < 65; i++) {
                if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
                        printf("%s%d", comma, i);
                        comma = ", ";
                }
        }
        printf("]}");
}

/* Number and target of each descriptor; without /proc the target is "". */
static void put_descriptors(void) {
        char link[64], target[4096];
        const char *comma = "";
        ssize_t n;
        int fd;

        putchar('{');
        for (fd = 0; fd < 4096; fd++) {
                if (fcntl(fd, F_GETFD) < 0)
                        continue;
                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                n = readlink(link, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                printf("%s\"%d\": ", comma, fd);
                put_string(target);
                comma = ", ";
        }
        putchar('}');
}

static void put_namespaces(void) {
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
        const char *comma = "";
        char path[64];
        struct stat st;
        size_t i;

        putchar('{');
        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
                if (stat(path, &st) < 0)
                        continue;
                printf("%s\"%s\": %llu", comma, names[i], (unsigned long long)st.st_ino);
                comma = ", ";
        }
        putchar('}');
}

static void put_file(const char *path) {
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

static void put_mountinfo(void) {
        put_file("/proc/self/mountinfo");
}

/* The kernel's struct sched_attr, version 0. */
static void put_scheduler(void) {
        struct {
                uint32_t size, policy;
                uint64_t flags;
                int32_t nice;
                uint32_t priority;
                uint64_t runtime, deadline, period;
        } attributes = { .size = sizeof(attributes) };

        if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0)
                put_error("sched_getattr");
        else
                printf("{\"policy\": %u, \"flags\": %llu, \"nice\": %d, \"priority\": %u, \"runtime\": %llu, "
                       "\"deadline\": %llu, \"period\": %llu}", attributes.policy, (unsigned long long)attributes.flags,
                       attributes.nice, attributes.priority, (unsigned long long)attributes.runtime,
                       (unsigned long long)attributes.deadline, (unsigned long long)attributes.period);
}

/* Its mode with the flags, and the first 64 nodes. */
static void put_memory_policy(void) {
        unsigned long nodes[1024 / (8 * sizeof(unsigned long))] = { 0 };
        int mode = 0;

        if (syscall(SYS_get_mempolicy, &mode, nodes, 1024UL, NULL, 0UL) < 0)
                put_error("get_mempolicy");
        else
                printf("[%d, %lu]", mode, nodes[0]);
}

/* Class, and the level in it. */
static void put_io_priority(void) {
        long priority = syscall(SYS_ioprio_get, 1, 0);

        if (priority < 0)
                put_error("ioprio_get");
        else
                printf("[%ld, %ld]", priority >> 13, priority & 0x1fff);
}

static void put_machine(void) {
        struct utsname name;

        uname(&name);
        put_string(name.machine);
}

/* Seconds of the two clocks that a time namespace has for itself. */
static void put_clocks(void) {
        struct timespec monotonic = { 0, 0 }, boottime = { 0, 0 };

        clock_gettime(CLOCK_MONOTONIC, &monotonic);
        clock_gettime(CLOCK_BOOTTIME, &boottime);
        printf("{\"monotonic\": %lld, \"boottime\": %lld}", (long long)monotonic.tv_sec, (long long)boottime.tv_sec);
}

static void put_oom_score_adj(void) {
        put_file("/proc/self/oom_score_adj");
}

static void put_uid_map(void) {
        put_file("/proc/self/uid_map");
}

static void put_gid_map(void) {
        put_file("/proc/self/gid_map");
}

static void put_setgroups(void) {
        put_file("/proc/self/setgroups");
}

static void put_cgroup(void) {
        put_file("/proc/self/cgroup");
}

/* "c 1:3 0666 0:0", "l /proc/self/fd", "d 0755 0:0", ... for each name in /dev. */
static void put_devices(void) {
        DIR *directory = opendir("/dev");
        char text[4200], target[4096];
        const char *comma = "";
        struct dirent *entry;
        struct stat st;
        ssize_t n;

        putchar('{');
        while (directory && (entry = readdir(directory))) {
                if (entry->d_name[0] == '.' || fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                if (S_ISLNK(st.st_mode))
                        snprintf(text, sizeof(text), "l %s", target);
                else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
                        snprintf(text, sizeof(text), "%c %u:%u %04o %u:%u", S_ISCHR(st.st_mode) ? 'c' : 'b',
                                 major(st.st_rdev), minor(st.st_rdev), (unsigned)(st.st_mode & 07777), st.st_uid, st.st_gid);
                else
                        snprintf(text, sizeof(text), "%c %04o %u:%u",
                                 S_ISDIR(st.st_mode) ? 'd' : S_ISFIFO(st.st_mode) ? 'p' : '-',
                                 (unsigned)(st.st_mode & 07777), st.st_uid, st.st_gid);
                fputs(comma, stdout);
                put_string(entry->d_name);
                fputs(": ", stdout);
                put_string(text);
                comma = ", ";
        }
        if (directory)
                closedir(directory);
        putchar('}');
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
