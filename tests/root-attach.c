/* SPDX-License-Identifier: MIT */
/* initsync_attach(): it takes detached mounts only, and what it refuses has not moved. */
#include "support/support.h"

#include <initsync.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/source.h"

static char table[1 << 16];

static void remember(void) {
        assert(file_read("/proc/thread-self/mountinfo", table, sizeof(table)) == 0);
}

static void expect_unmoved(void) {
        static char now[sizeof(table)];

        assert(file_read("/proc/thread-self/mountinfo", now, sizeof(now)) == 0);
        assert(strcmp(now, table) == 0);
}

static int open_at(const char *path) {
        int fd = open(path, O_PATH | O_CLOEXEC);

        assert(fd >= 0);
        return fd;
}

/* Consumes both. */
static void refused(int source, int target, int code, const char *call) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int r;

        assert(source >= 0 && target >= 0);
        remember();
        r = initsync_attach(source, target, &error);
        if (r != code)
                fprintf(stderr, "%d: %s\n", r, error.text);
        assert(r == code && error.code == code && error.stage == INITSYNC_STAGE_MOUNT);
        assert(strcmp(error.call, call) == 0 && strstr(error.text, "attach"));
        expect_unmoved();
        assert(initsync_attach(source, target, NULL) == code);
        close(source);
        close(target);
}

static void scene(void) {
        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 0);
        make_dir(path_of("source/dir"));
        make_file(path_of("source/dir/inside"), 0);
        make_tmpfs(path_of("other"));
        make_dir(path_of("target"));
        make_file(path_of("target-file"), 0);
}

static void detached(void) {
        int fd;

        scene();
        fd = source_open(path_of("source"), NULL, 0);
        source_put(fd, path_of("target"));
        assert(owner(AT_FDCWD, path_of("target/dir/inside")) == 0);
        close(fd);
        assert(umount(path_of("target")) == 0);
        fd = source_open(path_of("source/dir"), NULL, 0);
        source_put(fd, path_of("target"));
        assert(owner(AT_FDCWD, path_of("target/inside")) == 0);
        close(fd);
        assert(umount(path_of("target")) == 0);
        fd = source_open(path_of("source/file"), NULL, 0);
        source_put(fd, path_of("target-file"));
        assert(mount_line(path_of("target-file"), table, sizeof(table)) == 0);
        close(fd);
}

static void attached(void) {
        int fd;

        scene();
        /* Roots of mounts: a file system's, a bind's, a file's; move_mount(2) itself would take each away from its place. */
        refused(open_at(path_of("source")), open_at(path_of("target")), -EINVAL, "statmount");
        make_dir(path_of("bound"));
        assert(mount(path_of("source/dir"), path_of("bound"), NULL, MS_BIND, NULL) == 0);
        refused(open_at(path_of("bound")), open_at(path_of("target")), -EINVAL, "statmount");
        make_file(path_of("bound-file"), 0);
        assert(mount(path_of("source/file"), path_of("bound-file"), NULL, MS_BIND, NULL) == 0);
        refused(open_at(path_of("bound-file")), open_at(path_of("target-file")), -EINVAL, "statmount");
        fd = source_open(path_of("source"), NULL, 0);
        source_put(fd, path_of("target"));
        refused(fd, open_at(path_of("other")), -EINVAL, "statmount");   /* it was detached once */
}

static void inside_of_mounts(void) {
        int fd, dir;

        scene();
        refused(open_at(path_of("source/dir")), open_at(path_of("target")), -EINVAL, "statmount");
        refused(open_at(path_of("source/file")), open_at(path_of("target-file")), -EINVAL, "statmount");
        fd = source_open(path_of("source"), NULL, 0);
        dir = openat(fd, "dir", O_PATH | O_CLOEXEC);
        refused(dir, open_at(path_of("target")), -EINVAL, "statmount");
        close(fd);
}

static void no_mounts_at_all(void) {
        int pair[2], pipe_ends[2];

        scene();
        refused(open(path_of("source/file"), O_RDONLY | O_CLOEXEC), open_at(path_of("target-file")), -EINVAL, "statmount");
        assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        refused(pair[0], open_at(path_of("target-file")), -EINVAL, "statmount");
        close(pair[1]);
        assert(pipe2(pipe_ends, O_CLOEXEC) == 0);
        refused(pipe_ends[0], open_at(path_of("target-file")), -EINVAL, "statmount");
        close(pipe_ends[1]);
        refused(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), open_at(path_of("target-file")), -EINVAL, "statmount");
}

static void kinds_that_differ(void) {
        scene();
        refused(source_open(path_of("source/file"), NULL, 0), open_at(path_of("target")), -ENOTDIR, "move_mount");
        refused(source_open(path_of("source"), NULL, 0), open_at(path_of("target-file")), -ENOTDIR, "move_mount");
}

static void no_descriptors(void) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int fd;

        scene();
        fd = source_open(path_of("source"), NULL, 0);
        remember();
        assert(initsync_attach(-1, fd, &error) == -EBADF && error.code == -EBADF);
        assert(initsync_attach(12345, fd, &error) == -EBADF);
        assert(initsync_attach(fd, 12345, &error) == -EBADF && strcmp(error.call, "move_mount") == 0);
        expect_unmoved();
        close(fd);
}

static void the_root(void) {
        if (initsync_feature("statmount") != 1)
                forked_skip("no statmount(2) before Linux 6.8");
        refused(open_at("/"), open_at(make_dir(path_of("target"))), -EINVAL, "statmount");
}

/* Without statmount(2) the root of the namespace looks detached: ".." does not leave it. Then the kernel says no. */
static void the_root_no_statmount(void) {
        int source = open_at("/"), target = open_at(make_dir(path_of("target"))), r;

        deny_call(NR_statmount, ENOSYS);
        remember();
        r = initsync_attach(source, target, NULL);
        assert(r == -EINVAL || r == -ELOOP);
        expect_unmoved();
        close(source);
        close(target);
}

static void not_permitted(void) {
        int fd, target;

        scene();
        fd = source_open(path_of("source"), NULL, 0);
        target = open_at(path_of("target"));
        namespace_ordinary();
        refused(fd, target, -EPERM, "move_mount");
}

static void of_another_namespace(void) {
        int fd;

        scene();
        fd = open_at(path_of("source"));
        assert(unshare(CLONE_NEWNS) == 0);
        refused(fd, open_at(path_of("target")), -EINVAL, "move_mount");
}

/* The same all over where statmount(2) is denied: Linux below 6.8, or a filter. */
#define NO_STATMOUNT(body)                                              \
        static void body##_no_statmount(void) {                         \
                deny_call(NR_statmount, ENOSYS);                        \
                body();                                                 \
        }

NO_STATMOUNT(detached)
NO_STATMOUNT(attached)
NO_STATMOUNT(inside_of_mounts)
NO_STATMOUNT(no_mounts_at_all)
NO_STATMOUNT(kinds_that_differ)

static void attached_statmount_denied(void) {
        deny_call(NR_statmount, EPERM);
        attached();
}

/* A child in a new pid namespace has no /proc of its own yet, so that only the kernel's rules tell an attached file. */
static void attached_file_without_proc(void) {
        int target, bound;

        scene();
        make_file(path_of("bound-file"), 0);
        assert(mount(path_of("source/file"), path_of("bound-file"), NULL, MS_BIND, NULL) == 0);
        bound = open_at(path_of("bound-file"));
        target = open_at(path_of("target-file"));
        deny_call(NR_statmount, ENOSYS);
        assert(mount("test", "/proc", "tmpfs", 0, NULL) == 0);
        assert(initsync_attach(bound, target, NULL) == -EINVAL);
        assert(umount("/proc") == 0);
        assert(mount_line(path_of("target-file"), table, sizeof(table)) < 0);
        assert(mount_line(path_of("bound-file"), table, sizeof(table)) == 0);
        close(bound);
        close(target);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(detached, 0),
                FORKED(attached, 0),
                FORKED(inside_of_mounts, 0),
                FORKED(no_mounts_at_all, 0),
                FORKED(kinds_that_differ, 0),
                FORKED(no_descriptors, 0),
                FORKED(the_root, 0),
                FORKED(not_permitted, FORKED_ROOT | FORKED_EXEC),
                FORKED(of_another_namespace, 0),
                FORKED(detached_no_statmount, 0),
                FORKED(attached_no_statmount, 0),
                FORKED(inside_of_mounts_no_statmount, 0),
                FORKED(no_mounts_at_all_no_statmount, 0),
                FORKED(kinds_that_differ_no_statmount, 0),
                FORKED(the_root_no_statmount, 0),
                FORKED(attached_statmount_denied, 0),
                FORKED(attached_file_without_proc, FORKED_OLD),
        };

        return forked_main(argc, argv, "root-attach", tests, sizeof(tests) / sizeof(tests[0]));
}
