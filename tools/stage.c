/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "cleanup.h"
#include "mount_flags.h"
#include "say.h"
#include "stage.h"

#define DATA_MAX 4095   /* mount(2) takes a page of options */

struct name {
        char text[32];
};

/* The very file that @fd is open on. */
static struct name name_of(int fd) {
        struct name name;

        snprintf(name.text, sizeof(name.text), "/proc/self/fd/%d", fd);
        return name;
}

/* What has just been mounted, by its place: it has no descriptor yet, and a source that nothing else has. */
static int open_own(const char *path, const char *source, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (fd < 0)
                return fault_call(reterr, -errno, "open", path);
        r = mount_flags_tmpfs(fd, path, source, reterr);
        if (r < 0)
                return r;
        if (r == 0)
                return fault(reterr, -EAGAIN, "%s: was exchanged meanwhile", path);
        *ret_fd = take_fd(&fd);
        return 0;
}

int stage_begin(struct stage *stage, int directory, const char *path, struct initsync_error *reterr) {
        const struct name name = name_of(directory);
        char source[64];
        uint64_t number;
        int r;

        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                return fault_call(reterr, -errno, "getrandom", NULL);
        snprintf(source, sizeof(source), "syncdemo-%016" PRIx64, number);
        if (mount(source, name.text, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
                return fault_call(reterr, -errno, "mount", path);
        r = open_own(path, source, &stage->fd, reterr);
        if (r < 0)
                return r;
        /* A recursive bind of the directory does not take it along. */
        return mount(NULL, name_of(stage->fd).text, NULL, MS_UNBINDABLE, NULL) < 0 ?
               fault_call(reterr, -errno, "mount", path) : 0;
}

/* A mount point of the kind that is wanted, and what it is called. */
static int make_point(struct stage *stage, bool directory, struct name *ret, struct initsync_error *reterr) {
        int fd;

        snprintf(ret->text, sizeof(ret->text), "%u", stage->n++);
        if (directory) {
                if (mkdirat(stage->fd, ret->text, 0700) < 0)
                        return fault_call(reterr, -errno, "mkdirat", ret->text);
        } else {
                fd = openat(stage->fd, ret->text, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0600);
                if (fd < 0)
                        return fault_call(reterr, -errno, "openat", ret->text);
                fd_closep(&fd);
        }
        fd = openat(stage->fd, ret->text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? fault_call(reterr, -errno, "openat", ret->text) : fd;
}

/* @what names it in an error, @source is for the kernel. */
static int make(struct stage *stage, bool directory, const char *source, const char *type, unsigned long flags,
                const char *data, const char *what, int *ret_tree, struct initsync_error *reterr) {
        _cleanup_fd_ int point = -1;
        struct name name;
        int fd;

        point = make_point(stage, directory, &name, reterr);
        if (point < 0)
                return point;
        if (mount(source, name_of(point).text, type, flags, data) < 0)
                return fault_call(reterr, -errno, "mount", what);
        fd = openat(stage->fd, name.text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return fault_call(reterr, -errno, "openat", what);
        *ret_tree = fd;
        return 0;
}

int stage_bind(struct stage *stage, int fd, bool recursive, const char *path, int *ret_tree, struct initsync_error *reterr) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
                return fault_call(reterr, -errno, "statx", path);
        return make(stage, S_ISDIR(st.stx_mode), name_of(fd).text, NULL, MS_BIND | (recursive ? MS_REC : 0UL), NULL, path,
                    ret_tree, reterr);
}

/* Flags are taken out of them. */
static int join(char *text, const char *const *data, size_t n, unsigned long *flags, struct initsync_error *reterr) {
        size_t i, used = 0, length;

        text[0] = '\0';
        for (i = 0; i < n; i++) {
                if (mount_flags_word(data[i], flags))
                        continue;
                length = strlen(data[i]);
                if (strchr(data[i], ','))
                        return fault(reterr, -EINVAL, "%s: an option with a comma, which mount(2) cannot be told", data[i]);
                if (used + length + 2 > DATA_MAX)
                        return fault(reterr, -E2BIG, "%s: options longer than the page that mount(2) takes", data[i]);
                used += (size_t)sprintf(text + used, "%s%s", used ? "," : "", data[i]);
        }
        return 0;
}

int stage_make(struct stage *stage, const char *type, const char *source, const char *const *data, size_t n, bool read_only,
               uint64_t attributes, int *ret_tree, struct initsync_error *reterr) {
        /* As a flag of this call it would be one of the file system as well, which may be the host's, too. */
        const struct mount_attributes later = { .attr_set = attributes & MOUNT_ATTR_RDONLY };
        unsigned long flags = mount_flags(attributes & ~(uint64_t)MOUNT_ATTR_RDONLY) | (read_only ? MS_RDONLY : 0UL);
        _cleanup_fd_ int tree = -1;
        char text[DATA_MAX + 1];
        int r;

        r = join(text, data, n, &flags, reterr);
        if (r == 0)
                r = make(stage, true, source, type, flags, text, type, &tree, reterr);
        if (r == 0 && later.attr_set && !read_only)
                r = stage_set(tree, false, &later, type, reterr);
        if (r < 0)
                return text[0] && r == -EINVAL ? fault_in(reterr, "%s", text) : r;
        *ret_tree = take_fd(&tree);
        return 0;
}

int stage_set(int tree, bool recursive, const struct mount_attributes *attr, const char *path,
              struct initsync_error *reterr) {
        const unsigned long propagation = (unsigned long)attr->propagation | (recursive ? MS_REC : 0UL);
        const struct name name = name_of(tree);
        unsigned long ignored;
        uint64_t has;
        int r;

        if (attr->attr_set || attr->attr_clr) {
                r = mount_flags_read(tree, path, &has, &ignored, reterr);
                if (r < 0)
                        return r;
                has = (has & ~attr->attr_clr) | attr->attr_set;
                if (mount(NULL, name.text, NULL, MS_REMOUNT | MS_BIND | mount_flags(has), NULL) < 0)
                        return fault_call(reterr, -errno, "mount", path);
        }
        if (attr->propagation && mount(NULL, name.text, NULL, propagation, NULL) < 0)
                return fault_call(reterr, -errno, "mount", path);
        return 0;
}

int stage_reconfigure(int tree, const char *const *data, size_t n, const char *path, struct initsync_error *reterr) {
        char text[DATA_MAX + 1] = "";
        unsigned long flags;
        uint64_t has = 0;
        int r;

        r = mount_flags_read(tree, path, &has, &flags, reterr);
        if (r == 0)
                r = join(text, data, n, &flags, reterr);
        if (r < 0)
                return r;
        /* One call for both; a read-only mount would make the file system so. */
        flags |= mount_flags(has & ~(uint64_t)MOUNT_ATTR_RDONLY);
        if (mount(NULL, name_of(tree).text, NULL, MS_REMOUNT | flags, text) < 0) {
                r = fault_call(reterr, -errno, "mount", path);
                return text[0] && r == -EINVAL ? fault_in(reterr, "%s", text) : r;
        }
        if (has & MOUNT_ATTR_RDONLY)
                return stage_set(tree, false, &(struct mount_attributes){ .attr_set = MOUNT_ATTR_RDONLY }, path, reterr);
        return 0;
}

int stage_move(int tree, int target, struct initsync_error *reterr) {
        return mount(name_of(tree).text, name_of(target).text, NULL, MS_MOVE, NULL) < 0 ?
               fault_call(reterr, -errno, "mount", NULL) : 0;
}
