/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "forked.h"
#include "kernel/syscalls.h"
#include "sealing.h"

#define POISON (-77)
#define IS_SEALED "is it sealed"
#define SEALED 42
#define NR_fspick 433

int seal(enum initsync_seal how, struct initsync_error *reterr) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int fd = POISON, before = support_fd_count(), r;

        error.code = POISON;
        r = initsync_exe_seal(how, &fd, &error);
        if (r < 0) {
                assert(fd == POISON && error.code == r && error.stage == INITSYNC_STAGE_SEAL && error.text[0]);
                assert(support_fd_count() == before);
                if (reterr)
                        *reterr = error;
                return r;
        }
        assert(r == 0 && error.code == POISON);
        assert(fd >= 3 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        assert(support_fd_count() == before + 1);
        return fd;
}

void seal_fails(enum initsync_seal how, int code, const char *call, const char *word) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int r = seal(how, &error);

        if (r != code || strcmp(error.call, call) != 0 || !strstr(error.text, word))
                fprintf(stderr, "%d, %s: %s\n", r, error.call, error.text);
        assert(r == code && strcmp(error.call, call) == 0 && strstr(error.text, word));
        assert(initsync_exe_seal(how, &r, NULL) == code);
}

enum initsync_seal seal_kind(int fd) {
        struct statfs fs;

        assert(fstatfs(fd, &fs) == 0);
        return fs.f_type == SYS_OVERLAYFS_MAGIC ? INITSYNC_SEAL_OVERLAY : INITSYNC_SEAL_MEMFD;
}

int seal_same(const char *a, const char *b) {
        int fds[2] = { open(a, O_RDONLY | O_CLOEXEC), open(b, O_RDONLY | O_CLOEXEC) }, same;
        static char data[2][65536];
        ssize_t n;

        assert(fds[0] >= 0 && fds[1] >= 0);
        do {
                n = read(fds[0], data[0], sizeof(data[0]));
                assert(n >= 0);
                same = read(fds[1], data[1], sizeof(data[1])) == n && memcmp(data[0], data[1], (size_t)n) == 0;
        } while (same && n > 0);
        close(fds[0]);
        close(fds[1]);
        return same;
}

const char *seal_copy(const char *from, const char *to, long size) {
        int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        char data[65536];
        ssize_t n;

        assert(in >= 0 && out >= 0);
        while ((n = read(in, data, sizeof(data))) > 0)
                assert(write(out, data, (size_t)n) == n);
        assert(n == 0 && fchmod(out, 0755) == 0);
        memset(data, 0, sizeof(data));
        while (lseek(out, 0, SEEK_CUR) < size)
                assert(write(out, data, sizeof(data)) == sizeof(data));
        close(in);
        close(out);
        return to;
}

static void refused(const char *what, long r) {
        if (r >= 0)
                fprintf(stderr, "%s: succeeded\n", what);
        assert(r < 0);
}

#define REFUSED(call) (refused(#call, call), 1)

/* A descriptor that may be written to is as good as none, if nothing can be written through it. */
static int opened(const char *name, int flags) {
        int fd = open(name, flags | O_CLOEXEC), n = 1;

        if (fd < 0)
                return 1;
        n += REFUSED(write(fd, "x", 1));
        n += REFUSED(pwrite(fd, "x", 1, 1 << 20));
        n += REFUSED(ftruncate(fd, 0));
        n += REFUSED(fallocate(fd, 0, 0, 1L << 30));
        n += REFUSED(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
        n += REFUSED(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
        n += REFUSED(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
        close(fd);
        return n;
}

/* Its mount, which is in no namespace: neither taken from there nor changed. */
static int mounted(const char *name) {
        struct sys_mount_attr attr = { .attr_clr = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID };
        int n = 0;

        n += REFUSED(syscall(NR_mount_setattr, AT_FDCWD, name, 0, &attr, sizeof(attr)));
        n += REFUSED(syscall(NR_open_tree, AT_FDCWD, name, SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC));
        n += REFUSED(syscall(NR_fspick, AT_FDCWD, name, 1));
        n += REFUSED(mount(NULL, name, NULL, MS_REMOUNT | MS_BIND, NULL));
        n += REFUSED(mount(NULL, name, NULL, MS_REMOUNT, NULL));
        n += REFUSED(mount(name, "/proc/self/exe", NULL, MS_BIND, NULL));
        return n;
}

int seal_unchangeable(const char *name) {
        int n = 0;

        n += opened(name, O_RDWR);
        n += opened(name, O_WRONLY);
        n += opened(name, O_WRONLY | O_APPEND);
        n += opened(name, O_RDWR | O_TRUNC);
        n += REFUSED(truncate(name, 0));
        return n + mounted(name);
}

int seal_exec(int fd, char *const *argv) {
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
                _exit(127);
        }
        assert(pid > 0 && waitpid(pid, &status, 0) == pid);
        return status;
}

void seal_works(enum initsync_seal how, const char *path) {
        char name[32], text[] = IS_SEALED, test[] = "test", *argv[] = { test, text, NULL };
        int fd = seal(how, NULL);

        assert(fd >= 0);
        if (how != INITSYNC_SEAL_AUTO)
                assert(seal_kind(fd) == how);
        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        assert(seal_same(name, path));
        assert(seal_unchangeable(name) >= 5 + 6);
        assert(seal_same(name, path));
        assert(seal_exec(fd, argv) == SEALED << 8);
        close(fd);
}

void seal_main(int argc, char **argv) {
        if (argc == 2 && strcmp(argv[1], IS_SEALED) == 0)
                _exit(initsync_exe_is_sealed() == 1 ? SEALED : 1);
        if (argc == 2 && strcmp(argv[1], "pause") == 0)
                pause();
}

int seal_has_overlay(void) {
        /* It takes layers by descriptor, and can be seen to be one. */
        return initsync_feature("overlay_layer_fd") == 1 && initsync_feature("statmount") == 1;
}

void seal_need_overlay(void) {
        if (!seal_has_overlay())
                forked_skip("overlayfs takes no layers by descriptor before Linux 6.15");
}

void seal_works_by_overlay(const char *path) {
        struct initsync_error error;

        if (seal_has_overlay()) {
                seal_works(INITSYNC_SEAL_OVERLAY, path);
                return;
        }
        assert(seal(INITSYNC_SEAL_OVERLAY, &error) < 0);
        assert(strstr(error.text, "by an overlay: "));
}
