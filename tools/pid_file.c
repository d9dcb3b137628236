/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "pid_file.h"
#include "say.h"

#define TRIES 16                /* as many others write the same file */

static int put(int fd, pid_t pid) {
        char text[32];
        ssize_t n;

        snprintf(text, sizeof(text), "%d", (int)pid);
        n = write(fd, text, strlen(text));
        return n < 0 ? -errno : (size_t)n < strlen(text) ? -EIO : 0;
}

/* A file without a name gets one when it is complete: nothing is left of a process that is killed before. */
static int make_nameless(const char *directory, const char *path, pid_t pid) {
        _cleanup_fd_ int fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
        char from[64];
        int r;

        if (fd < 0)
                return -errno;
        r = put(fd, pid);
        if (r < 0)
                return r;
        snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int make_named(const char *path, pid_t pid) {
        _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        int r;

        if (fd < 0)
                return -errno;
        r = put(fd, pid);
        if (r < 0)
                unlink(path);
        return r;
}

/* Not every file system has files without a name, and not every place a /proc. */
static int make(const char *directory, const char *path, pid_t pid) {
        int r = make_nameless(directory, path, pid);

        return r == 0 || r == -EEXIST ? r : make_named(path, pid);
}

/*
 * A name beside it that is always the same: what a process leaves there that is killed before its rename, the next one takes
 * away. Another one that writes the same file at this moment loses its own, and tries again.
 */
static int replace(const char *directory, const char *path, const char *other, pid_t pid) {
        int tries, r = -EEXIST;

        for (tries = 0; tries < TRIES && (r == -EEXIST || r == -ENOENT); tries++) {
                unlink(other);
                r = make(directory, other, pid);
                if (r == 0 && rename(other, path) < 0) {
                        r = -errno;
                        if (r != -ENOENT)
                                unlink(other);
                }
        }
        return r;
}

/* What is renamed over a device or a pipe takes it away from everybody, as with --pid-file /dev/null. */
static bool is_replaceable(const char *path) {
        struct stat st;

        return lstat(path, &st) < 0 || S_ISREG(st.st_mode) || S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode);
}

int pid_file_write(const char *path, pid_t pid, struct initsync_error *reterr) {
        _cleanup_free_ char *directory = NULL, *other = NULL;
        const char *name;
        int r, length;

        if (!path)
                return 0;
        name = strrchr(path, '/');
        name = name ? name + 1 : path;
        length = (int)(name - path);
        if (asprintf(&directory, "%.*s", length ? length : 1, length ? path : ".") < 0)
                directory = NULL;
        if (!directory || asprintf(&other, "%.*s.%s.new", length, path, name) < 0) {
                other = NULL;
                return fault_call(reterr, -ENOMEM, "asprintf", NULL);
        }
        if (!is_replaceable(path)) {
                fault(reterr, -EEXIST, "%s: is there, and is no regular file", path);
                return fault_in(reterr, "--pid-file");
        }
        r = make_nameless(directory, path, pid);
        if (r < 0)
                r = replace(directory, path, other, pid);
        if (r == 0)
                return 0;
        fault_call(reterr, r, "open", path);
        return fault_in(reterr, "--pid-file");
}

void pid_file_remove(const char *path, pid_t pid) {
        char text[32] = "", wanted[32];
        _cleanup_fd_ int fd = -1;

        if (!path)
                return;
        snprintf(wanted, sizeof(wanted), "%d", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strcmp(text, wanted) == 0)
                unlink(path);
}
