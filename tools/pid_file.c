/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "pid_file.h"
#include "say.h"

static int fill(const char *path, pid_t pid) {
        _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        char text[32];
        ssize_t n;

        if (fd < 0)
                return -errno;
        snprintf(text, sizeof(text), "%d", (int)pid);
        n = write(fd, text, strlen(text));
        return n < 0 ? -errno : (size_t)n < strlen(text) ? -EIO : 0;
}

int pid_file_write(const char *path, pid_t pid, struct initsync_error *reterr) {
        _cleanup_free_ char *other = NULL;
        const char *name;
        int r;

        if (!path)
                return 0;
        name = strrchr(path, '/');
        name = name ? name + 1 : path;
        /* Beside it, since a rename works within one file system; our own PID, so that two runs do not meet there. */
        if (asprintf(&other, "%.*s.%s.%d", (int)(name - path), path, name, (int)getpid()) < 0) {
                other = NULL;
                return fault_call(reterr, -ENOMEM, "asprintf", NULL);
        }
        r = fill(other, pid);
        if (r < 0)
                fault_call(reterr, r, "open", path);
        else if (rename(other, path) < 0)
                r = fault_call(reterr, -errno, "rename", path);
        if (r < 0 && r != -EEXIST)
                unlink(other);
        return r < 0 ? fault_in(reterr, "--pid-file") : 0;
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
