/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "file.h"
#include "loop.h"
#include "namespace.h"

int file_read(const char *path, char *to, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t used = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        while ((n = read(fd, to + used, size - 1 - used)) > 0)
                used += (size_t)n;
        to[used] = '\0';
        close(fd);
        return n < 0 ? -EIO : 0;
}

int file_write(const char *path, const char *text) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, strlen(text));
        n = n < 0 ? -errno : 0;
        close(fd);
        return (int)n;
}

const char *path_of(const char *format, ...) {
        static char buffers[16][PATH_MAX];
        static unsigned next;
        char *to = buffers[next++ % 16];
        va_list args;
        int n;

        n = snprintf(to, PATH_MAX, "%s/", namespace_dir());
        va_start(args, format);
        vsnprintf(to + n, PATH_MAX - (size_t)n, format, args);
        va_end(args);
        return to;
}

const char *make_dir(const char *path) {
        assert(mkdir(path, 0755) == 0);
        return path;
}

const char *make_file(const char *path, uid_t uid) {
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

        assert(fd >= 0);
        assert(fchown(fd, uid, (gid_t)uid) == 0);
        close(fd);
        return path;
}

const char *make_tmpfs(const char *path) {
        make_dir(path);
        assert(scratch_mount(path) == 0);
        return path;
}

/* 2^13 by binding a tree into itself, and then one at a time. */
void make_mounts(const char *path, int n) {
        char at[PATH_MAX];
        int i, have = 1;

        make_tmpfs(path);
        for (i = 0; i < 13; i++) {
                snprintf(at, sizeof(at), "%.4000s/%d", path, i);
                make_dir(at);
                assert(mount(path, at, NULL, MS_BIND | MS_REC, NULL) == 0);
                have *= 2;
        }
        snprintf(at, sizeof(at), "%.4000s/last", path);
        make_dir(at);
        for (; have < n; have++)
                assert(mount("test", at, "tmpfs", 0, NULL) == 0);
}

long owner(int dirfd, const char *name) {
        struct stat st;

        if (fstatat(dirfd, name, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
                return -1;
        return st.st_uid == st.st_gid ? (long)st.st_uid : -2;
}

int mount_line(const char *path, char *to, size_t size) {
        FILE *file = fopen("/proc/thread-self/mountinfo", "re");
        char line[8192], point[PATH_MAX];
        int found = -1;

        assert(file);
        while (fgets(line, sizeof(line), file)) {
                if (sscanf(line, "%*d %*d %*s %*s %4095s", point) != 1 || strcmp(point, path) != 0)
                        continue;
                snprintf(to, size, "%s", line);
                found = 0;
        }
        fclose(file);
        return found;
}

int mount_count(void) {
        FILE *file = fopen("/proc/thread-self/mountinfo", "re");
        int c, lines = 0;

        assert(file);
        while ((c = getc(file)) != EOF)
                lines += c == '\n';
        fclose(file);
        return lines;
}
