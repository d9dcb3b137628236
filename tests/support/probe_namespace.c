/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "support/probe.h"

void put_namespaces(void) {
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

void put_hostname(void) {
        struct utsname name;

        uname(&name);
        put_string(name.nodename);
}

void put_domainname(void) {
        struct utsname name;

        uname(&name);
        put_string(name.domainname);
}

void put_machine(void) {
        struct utsname name;

        uname(&name);
        put_string(name.machine);
}

/* Seconds of the two clocks that a time namespace has for itself. */
void put_clocks(void) {
        struct timespec monotonic = { 0, 0 }, boottime = { 0, 0 };

        clock_gettime(CLOCK_MONOTONIC, &monotonic);
        clock_gettime(CLOCK_BOOTTIME, &boottime);
        printf("{\"monotonic\": %lld, \"boottime\": %lld}", (long long)monotonic.tv_sec, (long long)boottime.tv_sec);
}

void put_uid_map(void) {
        put_file("/proc/self/uid_map");
}

void put_gid_map(void) {
        put_file("/proc/self/gid_map");
}

void put_setgroups(void) {
        put_file("/proc/self/setgroups");
}

void put_cgroup(void) {
        put_file("/proc/self/cgroup");
}

void put_mountinfo(void) {
        put_file("/proc/self/mountinfo");
}

/* "c 1:3 0666 0:0", "l /proc/self/fd", "d 0755 0:0", ... for each name in /dev. */
void put_devices(void) {
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
