/* SPDX-License-Identifier: MIT */
/* The shared library as its users see it: this program is linked with nothing else of it. */
#include "support/support.h"

#include <initsync.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "support/bytes.h"
#include "support/socket.h"

#define POISON_FD (-77)

static void *const poison = (void *)0x5a5a5a5a;

/* Embedders compile these into their own binaries; a change needs another version of the library. */
static void test_sizes(void **state) {
        (void)state;
        assert_int_equal(sizeof(struct initsync_error), 1024);
        assert_int_equal(sizeof(struct initsync_idmap), 12);
        if (sizeof(void *) != 8)
                skip();
        assert_int_equal(sizeof(struct initsync_mount), 104);
        assert_int_equal(sizeof(struct initsync_parent_options), 120);
        assert_int_equal(sizeof(struct initsync_child_options), 40);
        assert_int_equal(sizeof(struct initsync_trace_event), 40);
}

static void test_initialisers(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child_options child = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_error error = INITSYNC_ERROR_INIT;

        (void)state;
        assert_int_equal(mount.size, sizeof(mount));
        assert_int_equal(mount.userns_fd, -1);
        assert_int_equal(mount.source_fd, -1);
        assert_true(!mount.source && !mount.uids && !mount.gids && !mount.userns_path && !mount.flags && !mount.propagation);
        assert_int_equal(child.size, sizeof(child));
        assert_int_equal(child.parent_fd, -1);
        assert_true(error.step == -1 && error.mount == -1 && error.request == -1 && error.status == -1 && !error.code);
}

static void test_version(void **state) {
        const char *top = getenv("top_builddir");
        char *path = bytes_format("%s/libinitsync.pc", top ? top : "."), *line = NULL;
        FILE *file = fopen(path, "re");
        size_t room = 0;
        int found = 0;

        (void)state;
        free(path);
        if (!file)
                skip();
        while (getline(&line, &room, file) > 0) {
                if (strncmp(line, "Version: ", 9) == 0) {
                        line[strcspn(line, "\n")] = '\0';
                        assert_string_equal(initsync_version(), line + 9);
                        found = 1;
                }
        }
        free(line);
        fclose(file);
        assert_int_equal(found, 1);
}

static void test_frees(void **state) {
        struct initsync_userns_cache *cache = NULL;
        struct initsync_child *child = NULL;
        int ends[2];

        (void)state;
        errno = 4711;
        assert_null(initsync_parent_free(NULL));
        assert_null(initsync_child_free(NULL));
        assert_null(initsync_userns_cache_free(NULL));
        assert_int_equal(errno, 4711);
        assert_int_equal(initsync_pair(&ends[0], &ends[1]), 0);
        assert_int_equal(initsync_child_new(&child, ends[1], NULL, NULL), 0);
        assert_int_equal(initsync_userns_cache_new(&cache, 4), 0);
        errno = 4711;
        child = initsync_child_free(child);
        cache = initsync_userns_cache_free(cache);
        assert_true(!child && !cache);
        assert_int_equal(errno, 4711);
        close(ends[0]);
}

static void fill(struct initsync_error *error) {
        memset(error, 0xab, sizeof(*error));
}

static void told(const struct initsync_error *error, int r, const char *word) {
        assert_int_equal(error->code, r);
        assert_in_range(error->stage, INITSYNC_STAGE_WIRE, INITSYNC_STAGE_PEER);
        bytes_contain(error->text, word);
}

/* One option is wrong: -EINVAL, the socket is consumed, nothing is given out. */
static void wrong_parent(struct initsync_parent_options *options, int pidfd, int expected, const char *word) {
        struct initsync_parent *parent = poison;
        struct initsync_error error;
        int ends[2], before = support_fd_count();

        assert_int_equal(initsync_pair(&ends[0], &ends[1]), 0);
        fill(&error);
        assert_int_equal(initsync_parent_new(&parent, ends[0], pidfd, options, &error), expected);
        assert_ptr_equal(parent, poison);
        told(&error, expected, word);
        close(ends[1]);
        assert_int_equal(support_fd_count(), before);
}

static void test_parent_options(void **state) {
        const struct initsync_parent_options good = { .size = sizeof(good) };
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_parent_options options;
        int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), bit;

        (void)state;
        assert_true(pidfd >= 0);
        options = good, options.size--;
        wrong_parent(&options, pidfd, -EINVAL, "size");
        options = good, options.size++;
        wrong_parent(&options, pidfd, -EINVAL, "size");
        options = good, options.size = 0;
        wrong_parent(&options, pidfd, -EINVAL, "size");
        for (bit = 4; bit < 64; bit++) {
                options = good, options.flags = UINT64_C(1) << bit;
                wrong_parent(&options, pidfd, -EINVAL, "flags");
        }
        options = good, options.timeout_ms = -2;
        wrong_parent(&options, pidfd, -EINVAL, "timeout_ms");
        options = good, options.rootfs = "relative";
        wrong_parent(&options, pidfd, -EINVAL, "rootfs");
        options = good, options.n_mounts = 1025;
        wrong_parent(&options, pidfd, -EINVAL, "mounts");
        mount.source = "/a";
        mount.size++;
        options = good, options.mounts = &mount, options.n_mounts = 1;
        wrong_parent(&options, pidfd, -EINVAL, "entry 0");
        mount.size--;
        mount.flags = UINT64_C(1) << 6;
        wrong_parent(&options, pidfd, -EINVAL, "flags");
        options = good;
        wrong_parent(&options, -1, -EBADF, "");
        close(pidfd);
}

static void wrong_socket(int socket, int expected) {
        const struct initsync_parent_options options = { .size = sizeof(options) };
        int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), copy = fcntl(socket, F_DUPFD_CLOEXEC, 3);
        struct initsync_parent *parent = poison;
        struct initsync_child *child = poison;
        struct initsync_error error;

        fill(&error);
        assert_int_equal(initsync_parent_new(&parent, copy, pidfd, &options, &error), expected);
        assert_ptr_equal(parent, poison);
        told(&error, expected, "socket");
        assert_int_equal(fcntl(copy, F_GETFD), -1);     /* consumed */
        copy = fcntl(socket, F_DUPFD_CLOEXEC, 3);
        fill(&error);
        assert_int_equal(initsync_child_new(&child, copy, NULL, &error), expected);
        assert_ptr_equal(child, poison);
        told(&error, expected, "socket");
        assert_int_equal(fcntl(copy, F_GETFD), -1);
        close(socket);
        close(pidfd);
}

static void test_sockets(void **state) {
        (void)state;
        wrong_socket(socket_file(), -ENOTSOCK);
        wrong_socket(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), -EPROTOTYPE);
        wrong_socket(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), -EPROTOTYPE);
}

static void wrong_child(const struct initsync_child_options *options, const char *word) {
        struct initsync_child *child = poison;
        struct initsync_error error;
        int ends[2];

        assert_int_equal(initsync_pair(&ends[0], &ends[1]), 0);
        fill(&error);
        assert_int_equal(initsync_child_new(&child, ends[1], options, &error), -EINVAL);
        assert_ptr_equal(child, poison);
        told(&error, -EINVAL, word);
        assert_int_equal(fcntl(ends[1], F_GETFD), -1);
        close(ends[0]);
}

static void test_child_options(void **state) {
        const struct initsync_child_options good = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child_options options;
        int bit;

        (void)state;
        options = good, options.size++;
        wrong_child(&options, "size");
        options = good, options.size = 0;
        wrong_child(&options, "size");
        for (bit = 1; bit < 64; bit++) {
                options = good, options.flags = UINT64_C(1) << bit;
                wrong_child(&options, "flags");
        }
        options = good, options.timeout_ms = -2;
        wrong_child(&options, "timeout_ms");
}

static void test_parts(void **state) {
        static const struct initsync_idmap zero = { 0, 0, 0 }, one = { 0, 0, 1 };
        struct initsync_userns_cache *cache = poison;
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_idmap extents[2] = { { 7, 7, 7 }, { 7, 7, 7 } };
        struct initsync_error error;
        int fd = POISON_FD, keep[65] = { 0 };
        size_t n = 99;

        (void)state;
        assert_int_equal(initsync_userns_cache_new(&cache, 0), -EINVAL);
        assert_int_equal(initsync_userns_cache_new(&cache, 1025), -EINVAL);
        assert_ptr_equal(cache, poison);
        assert_int_equal(initsync_idmap_parse("0:0:1,1:1", extents, 2, &n, &error), -EINVAL);
        assert_true(n == 99 && extents[0].inside == 7);
        assert_int_equal(initsync_userns_open(&zero, 1, &one, 1, &fd, &error), -EINVAL);
        assert_int_equal(initsync_userns_open(&one, 1, &one, 0, &fd, NULL), -EINVAL);
        assert_int_equal(initsync_userns_open(&one, 341, &one, 1, &fd, &error), -E2BIG);
        mount.source = "relative";
        fill(&error);
        assert_int_equal(initsync_mount_open(&mount, &fd, &error), -EINVAL);
        told(&error, -EINVAL, "source");
        mount.source = "/";
        mount.size = 0;
        assert_int_equal(initsync_mount_open(&mount, &fd, &error), -EINVAL);
        mount = (struct initsync_mount)INITSYNC_MOUNT_INIT;
        mount.source = "/";
        mount.flags = UINT64_C(1) << 40;
        assert_int_equal(initsync_mount_open(&mount, &fd, &error), -EINVAL);
        mount.flags = 0;
        mount.source_fd = 0;
        assert_int_equal(initsync_mount_open(&mount, &fd, &error), -EINVAL);
        assert_int_equal(fd, POISON_FD);
        assert_int_equal(initsync_child_only(keep, 65), -EINVAL);
        fill(&error);
        assert_int_equal(initsync_attach(-1, -1, &error), -EBADF);
        assert_int_equal(error.code, -EBADF);
}

static void test_features(void **state) {
        const char *name;
        size_t n = 0;

        (void)state;
        while ((name = initsync_feature_name(n))) {
                int r = initsync_feature(name);

                assert_true(r == 0 || r == 1 || r == -EPERM);
                n++;
        }
        assert_true(n > 0);
        assert_null(initsync_feature_name(n + 1));
        assert_null(initsync_feature_name(SIZE_MAX));
        assert_int_equal(initsync_feature("no such feature"), -ENOENT);
        assert_int_equal(initsync_feature(""), -ENOENT);
        assert_int_equal(initsync_abandoned(), 0);
}

/* An embedder without stdin, stdout and stderr: its child will dup2() over 0, 1 and 2. */
static void test_closed_stdio(void **state) {
        const struct initsync_parent_options options = { .size = sizeof(options) };
        int saved[3], ends[2] = { -1, -1 }, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), i, r[3], fds[4], taken = 0;
        struct initsync_parent *parent = NULL;
        struct initsync_child *child = NULL;

        (void)state;
        for (i = 0; i < 3; i++) {
                saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
                close(i);
        }
        r[0] = initsync_pair(&ends[0], &ends[1]);
        fds[0] = ends[0];
        fds[1] = ends[1];
        fds[3] = fcntl(ends[0], F_GETFD) & fcntl(ends[1], F_GETFD);
        r[1] = initsync_parent_new(&parent, ends[0], pidfd, &options, NULL);
        r[2] = initsync_child_new(&child, ends[1], NULL, NULL);
        fds[2] = parent ? initsync_parent_get_fd(parent) : -1;
        for (i = 0; i < 3; i++)
                taken += fcntl(i, F_GETFD) >= 0;
        child = initsync_child_free(child);
        parent = initsync_parent_free(parent);
        for (i = 0; i < 3; i++) {
                if (saved[i] >= 0)
                        dup2(saved[i], i);
                close(saved[i]);
        }
        close(pidfd);
        assert_true(r[0] == 0 && r[1] == 0 && r[2] == 0);
        for (i = 0; i < 3; i++)
                assert_true(fds[i] >= 3);
        assert_int_equal(fds[3], FD_CLOEXEC);
        assert_int_equal(taken, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_initialisers),
                cmocka_unit_test(test_version),
                cmocka_unit_test(test_frees),
                cmocka_unit_test(test_parent_options),
                cmocka_unit_test(test_sockets),
                cmocka_unit_test(test_child_options),
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_features),
                cmocka_unit_test(test_closed_stdio),
        };

        return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
