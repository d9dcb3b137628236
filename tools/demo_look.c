/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "demo_kernel.h"
#include "demo_look.h"

int look_put(const char *path, const char *text) {
        _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = write(fd, text, strlen(text));      /* one write: that is what the files of an id map ask for */
        return n < 0 ? -errno : (size_t)n < strlen(text) ? -EIO : 0;
}

int look_get(const char *path, char **ret_text) {
        _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        size_t size = 0, used = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        do {
                if (size - used < 4096) {
                        char *more = realloc(text, size + 16384);

                        if (!more)
                                return -ENOMEM;
                        text = more;
                        size += 16384;
                }
                n = read(fd, text + used, size - used - 1);
                if (n < 0)
                        return -errno;
                used += (size_t)n;
        } while (n > 0);
        text[used] = '\0';
        *ret_text = take_ptr(text);
        return 0;
}

void look_link(const char *path, char *target, size_t size) {
        ssize_t n = readlink(path, target, size - 1);

        target[n < 0 ? 0 : n] = '\0';
}

uint32_t look_number(const char *path, uint32_t otherwise) {
        _cleanup_free_ char *text = NULL;
        unsigned number;

        return look_get(path, &text) == 0 && sscanf(text, "%9u", &number) == 1 ? number : otherwise;
}

static bool owns_in(const char *path, uint32_t n) {
        _cleanup_free_ char *text = NULL;
        unsigned first, outside, count;
        uint32_t known = 0;
        const char *line;

        if (look_get(path, &text) < 0)
                return false;
        /* the extents of newuidmap's users come in order: root, then the rest */
        for (line = text; line && sscanf(line, "%10u %10u %10u", &first, &outside, &count) == 3; line = strchr(line, '\n')) {
                line += strspn(line, "\n");
                if (first <= known && first + (uint64_t)count > known)
                        known = first + (uint64_t)count > UINT32_MAX ? UINT32_MAX : first + count;
        }
        return known >= n;
}

bool look_owns_ids(uint32_t n) {
        return owns_in("/proc/self/uid_map", n) && owns_in("/proc/self/gid_map", n);
}

int look_descriptors(void) {
        DIR *directory = opendir("/proc/self/fd");
        int n = 0;

        if (!directory)
                return -errno;
        for (const struct dirent *entry; (entry = readdir(directory));)
                n += entry->d_name[0] != '.';
        closedir(directory);
        return n - 1;                   /* without the one that looked */
}

int look_children(void) {
        siginfo_t info;

        /* __WALL: also those that raise no SIGCHLD, as the library makes them */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | KERNEL_WALL) == 0)
                return 1;
        return errno == ECHILD ? 0 : -errno;
}

struct owner look_owner(const char *path) {
        struct owner owner = { 0 };
        struct stat st;

        if (lstat(path, &st) < 0)
                owner.error = -errno;
        else
                owner.uid = st.st_uid, owner.gid = st.st_gid;
        return owner;
}

int look_mountinfo(pid_t pid, char **ret_text) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
        return look_get(path, ret_text);
}

static bool has_word(const char *list, const char *word) {
        size_t n = strlen(word);

        for (const char *at = list; (at = strstr(at, word)); at += n)
                if ((at == list || at[-1] == ',') && (at[n] == '\0' || at[n] == ','))
                        return true;
        return false;
}

bool look_next(const char **cursor, struct look_mount *ret_mount) {
        struct look_mount mount = { .read_only = false };
        char options[512];
        const char *line = *cursor, *end = strchrnul(line, '\n'), *dash;
        int n = 0;

        if (sscanf(line, "%*u %*u %*u:%*u %255s %255s %511s%n", mount.root, mount.point, options, &n) != 3)
                return false;
        dash = strstr(line, " - ");
        if (!dash || dash > end || sscanf(dash, " - %31s", mount.type) != 1)
                return false;
        mount.read_only = has_word(options, "ro");
        mount.id_mapped = has_word(options, "idmapped");
        for (const char *tag = line + n; tag < dash; tag++) {
                mount.shared = mount.shared || strncmp(tag, " shared:", 8) == 0;
                mount.slave = mount.slave || strncmp(tag, " master:", 8) == 0;
        }
        *cursor = *end ? end + 1 : end;
        *ret_mount = mount;
        return true;
}

bool look_mount(const char *mountinfo, const char *point, struct look_mount *ret_mount) {
        struct look_mount mount;
        bool found = false;

        while (look_next(&mountinfo, &mount))
                if (strcmp(mount.point, point) == 0) {
                        *ret_mount = mount;
                        found = true;
                }
        return found;
}
