/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include "cleanup.h"
#include "copy_up.h"
#include "kernel.h"
#include "say.h"

#define DEPTH_MAX 128           /* each level takes three descriptors; an image may be made to have any number */
#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS)

/* A place in both trees. */
struct entry {
        int from, to;                   /* the directories that it is in */
        const char *name;
        struct stat st;
};

static void dirp(DIR **dir) {
        if (*dir)
                closedir(*dir);
}

static int copy_directory(int from, int to, int depth, struct initsync_error *reterr);

/* The owner before the mode: a change of owner takes set-user-ID away. */
static int copy_metadata(int fd, const struct stat *st, const char *name, struct initsync_error *reterr) {
        const struct timespec times[2] = { st->st_atim, st->st_mtim };

        if (fchown(fd, st->st_uid, st->st_gid) < 0)
                return fault_call(reterr, -errno, "fchown", name);
        if (fchmod(fd, st->st_mode & 07777) < 0)
                return fault_call(reterr, -errno, "fchmod", name);
        return futimens(fd, times) < 0 ? fault_call(reterr, -errno, "futimens", name) : 0;
}

static int copy_range(int from, int to, off_t at, off_t end, const char *name, struct initsync_error *reterr) {
        ssize_t n = 1;

        if (lseek(from, at, SEEK_SET) < 0 || lseek(to, at, SEEK_SET) < 0)
                return fault_call(reterr, -errno, "lseek", name);
        while (at < end && n != 0) {
                n = sendfile(to, from, NULL, end - at < 1 << 30 ? (size_t)(end - at) : 1 << 30);
                if (n < 0 && errno != EINTR)
                        return fault_call(reterr, -errno, "sendfile", name);
                at += n > 0 ? n : 0;
        }
        return 0;
}

/* Holes stay what they are: an image of a few bytes may have a file of terabytes. */
static int copy_data(int from, int to, off_t size, const char *name, struct initsync_error *reterr) {
        off_t data, hole = 0;
        int r = 0;

        while (r == 0 && hole < size) {
                data = lseek(from, hole, SEEK_DATA);
                if (data < 0 && errno == ENXIO)
                        break;
                /* From a file system that cannot tell, or talks nonsense: all that is left. */
                data = data < hole ? hole : data;
                hole = lseek(from, data, SEEK_HOLE);
                hole = hole <= data || hole > size ? size : hole;
                r = copy_range(from, to, data, hole, name, reterr);
        }
        return r == 0 && ftruncate(to, size) < 0 ? fault_call(reterr, -errno, "ftruncate", name) : r;
}

static int copy_file(const struct entry *entry, struct initsync_error *reterr) {
        _cleanup_fd_ int from = -1, to = -1;
        struct stat st;
        int r;

        /* Whatever it may have become meanwhile, opening it must not wait. */
        from = kernel_openat2(entry->from, entry->name, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE);
        if (from < 0)
                return fault_call(reterr, from, "openat2", entry->name);
        if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
                return fault(reterr, -EAGAIN, "%s: was exchanged meanwhile", entry->name);
        to = openat(entry->to, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return fault_call(reterr, -errno, "openat", entry->name);
        r = copy_data(from, to, st.st_size, entry->name, reterr);
        return r < 0 ? r : copy_metadata(to, &st, entry->name, reterr);
}

static int copy_link(const struct entry *entry, struct initsync_error *reterr) {
        const struct timespec times[2] = { entry->st.st_atim, entry->st.st_mtim };
        char target[PATH_MAX];
        ssize_t n = readlinkat(entry->from, entry->name, target, sizeof(target) - 1);

        if (n < 0)
                return fault_call(reterr, -errno, "readlinkat", entry->name);
        target[n] = '\0';
        if (symlinkat(target, entry->to, entry->name) < 0)
                return fault_call(reterr, -errno, "symlinkat", entry->name);
        if (fchownat(entry->to, entry->name, entry->st.st_uid, entry->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_call(reterr, -errno, "fchownat", entry->name);
        if (utimensat(entry->to, entry->name, times, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_call(reterr, -errno, "utimensat", entry->name);
        return 0;
}

/* The tree that we copy to is nobody else's yet: its names mean what they meant when they were made. */
static int copy_node(const struct entry *entry, struct initsync_error *reterr) {
        if (mknodat(entry->to, entry->name, entry->st.st_mode & ~(mode_t)07777, entry->st.st_rdev) < 0)
                return fault_call(reterr, -errno, "mknodat", entry->name);
        if (fchownat(entry->to, entry->name, entry->st.st_uid, entry->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
                return fault_call(reterr, -errno, "fchownat", entry->name);
        return fchmodat(entry->to, entry->name, entry->st.st_mode & 07777, 0) < 0 ?
               fault_call(reterr, -errno, "fchmodat", entry->name) : 0;
}

static int copy_below(const struct entry *entry, int depth, struct initsync_error *reterr) {
        _cleanup_fd_ int from = -1, to = -1;
        int r;

        if (depth >= DEPTH_MAX)
                return fault(reterr, -ELOOP, "%s: more than %d directories deep", entry->name, DEPTH_MAX);
        if (mkdirat(entry->to, entry->name, 0700) < 0)
                return fault_call(reterr, -errno, "mkdirat", entry->name);
        to = openat(entry->to, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (to < 0)
                return fault_call(reterr, -errno, "openat", entry->name);
        from = kernel_openat2(entry->from, entry->name, O_RDONLY | O_DIRECTORY, RESOLVE);
        if (from < 0 && from != -EXDEV)
                return fault_call(reterr, from, "openat2", entry->name);
        r = from < 0 ? 0 : copy_directory(from, to, depth + 1, reterr);
        return r < 0 ? r : copy_metadata(to, &entry->st, entry->name, reterr);
}

static int copy_entry(struct entry *entry, int depth, struct initsync_error *reterr) {
        if (fstatat(entry->from, entry->name, &entry->st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
                return fault_call(reterr, -errno, "fstatat", entry->name);
        switch (entry->st.st_mode & S_IFMT) {
        case S_IFDIR: return copy_below(entry, depth, reterr);
        case S_IFREG: return copy_file(entry, reterr);
        case S_IFLNK: return copy_link(entry, reterr);
        case S_IFSOCK: return 0;                /* nobody listens there any more */
        default: return copy_node(entry, reterr);
        }
}

static int copy_directory(int from, int to, int depth, struct initsync_error *reterr) {
        int again = fcntl(from, F_DUPFD_CLOEXEC, 3);
        _cleanup_(dirp) DIR *dir = again < 0 ? NULL : fdopendir(again);
        struct entry entry = { .from = from, .to = to };
        struct dirent *one;
        int r = 0;

        if (!dir) {
                r = -errno;
                fd_closep(&again);
                return fault_call(reterr, r, "fdopendir", NULL);
        }
        for (errno = 0; r == 0 && (one = readdir(dir)); errno = 0) {
                entry.name = one->d_name;
                if (strcmp(entry.name, ".") != 0 && strcmp(entry.name, "..") != 0)
                        r = copy_entry(&entry, depth, reterr);
        }
        return r == 0 && errno ? fault_call(reterr, -errno, "readdir", NULL) : r;
}

int copy_up(int from, int to, struct initsync_error *reterr) {
        _cleanup_fd_ int source = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), target = -1;
        int r;

        if (source < 0)
                return fault_call(reterr, -errno, "openat", "tmpcopyup");
        target = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (target < 0)
                return fault_call(reterr, -errno, "openat", "tmpcopyup");
        r = copy_directory(source, target, 0, reterr);
        return r < 0 ? fault_in(reterr, "tmpcopyup") : 0;
}
