/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "support/probe.h"

/* The beginning of a file: whole for what a kernel says in one line, enough of the others to tell them apart. */
static void put_beginning(int fd) {
        char text[129];
        ssize_t n = read(fd, text, sizeof(text) - 1), i;

        if (n < 0) {
                put_error("read");
                return;
        }
        for (i = 0; i < n; i++)
                if (text[i] == '\0' || (unsigned char)text[i] >= 0x80)
                        text[i] = '?';
        text[n] = '\0';
        put_string(text);
}

static int by_name(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, in order. */
static void put_names(int fd) {
        char *names[4096];
        struct dirent *entry;
        DIR *directory = fdopendir(fd);
        size_t n = 0, i;

        while (directory && n < 4096 && (entry = readdir(directory)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        names[n++] = strdup(entry->d_name);
        qsort(names, n, sizeof(names[0]), by_name);
        putchar('[');
        for (i = 0; i < n; i++) {
                fputs(i ? ", " : "", stdout);
                put_string(names[i]);
                free(names[i]);
        }
        putchar(']');
        if (directory)
                closedir(directory);
}

/* What it takes to write: a regular file is opened for it, in a directory a file is made and removed. */
static void put_writable(const char *path, mode_t mode) {
        char name[4200];
        int fd;

        snprintf(name, sizeof(name), "%s/.probe", path);
        if (S_ISDIR(mode))
                fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        else
                fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        put_string(fd < 0 ? strerror(errno) : "yes");
        if (fd < 0)
                return;
        close(fd);
        if (S_ISDIR(mode))
                unlink(name);
}

/* Its owner and mode, what reading gives, whether it can be written to. */
void put_path(const char *path) {
        struct stat st;
        char target[4096];
        ssize_t n;
        int fd;

        if (lstat(path, &st) < 0) {
                put_error("lstat");
                return;
        }
        printf("{\"mode\": \"%06o\", \"owner\": \"%u:%u\", \"device\": \"%u:%u\", ", (unsigned)st.st_mode, st.st_uid,
               st.st_gid, major(st.st_rdev), minor(st.st_rdev));
        fputs("\"holds\": ", stdout);
        n = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof(target) - 1) : -1;
        fd = n < 0 ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
        if (n >= 0) {
                target[n] = '\0';
                put_string(target);
        } else if (fd < 0)
                put_error("open");
        else if (S_ISDIR(st.st_mode))
                put_names(fd);
        else
                put_beginning(fd);
        if (fd >= 0 && !S_ISDIR(st.st_mode))
                close(fd);
        fputs(", \"writable\": ", stdout);
        put_writable(path, st.st_mode);
        putchar('}');
}
