/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/bytes.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The library's child at its limits: requests sent ahead, small buffers, a full table of descriptors, a strict filter. */

#define MANY 100
#define WINDOW 32

static char sources[MANY][32];

static void fill(struct initsync_mount *mounts) {
        size_t i;

        for (i = 0; i < MANY; i++) {
                mounts[i] = (struct initsync_mount)INITSYNC_MOUNT_INIT;
                snprintf(sources[i], sizeof(sources[i]), "/src/%zu", i);
                mounts[i].source = sources[i];
        }
}

static int drain(int socket, int *ret_answered, int answer) {
        struct pollfd one = { .fd = socket, .events = POLLIN };
        char packet[4096];
        int n = 0;

        while (poll(&one, 1, answer ? 0 : 100) > 0) {
                if (bare_receive(socket, packet, sizeof(packet), NULL) <= 0)
                        return -1;
                n++;
        }
        (void)ret_answered;
        return n;
}

/* A parent that answers late: first no request, then one at a time. Never are there more than WINDOW without an answer. */
static int late_parent(int socket, void *arg) {
        int asked, answered = 0, n, small = 0;
        char name[32];

        (void)arg;
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        usleep(100000);
        asked = drain(socket, &answered, 0);
        BARE_CHECK(asked == WINDOW);
        while (answered < MANY) {
                n = snprintf(name, sizeof(name), "/src/%d", answered);
                BARE_CHECK(bare_send(socket, BARE_MOUNT_FD) == 0 && bare_send_fds(socket, name, (size_t)n, bare_gift,
                                                                                  1) == 0);
                answered++;
                if (answered % 10 == 0)
                        usleep(10000);
                n = drain(socket, &answered, 1);
                BARE_CHECK(n >= 0 || answered == MANY);
                asked += n > 0 ? n : 0;
                BARE_CHECK(asked - answered <= WINDOW);
        }
        BARE_CHECK(asked == MANY);
        return 0;
}

static void test_window(void **state) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_mount mounts[MANY];
        struct initsync_child *child = NULL;
        int ours, theirs, pid, status, fds[MANY], i, small = 0;

        (void)state;
        fill(mounts);
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        small = 1 << 17;        /* the window is to be what limits it here */
        setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        pid = duo_fork(late_parent, ours, NULL, &bare_gift, 1);
        options.parent_fd = ours;
        assert_int_equal(initsync_child_new(&child, theirs, &options, NULL), 0);
        assert_int_equal(initsync_child_mounts(child, mounts, MANY, fds, NULL), 0);
        for (i = 0; i < MANY; i++)
                close(fds[i]);
        initsync_child_free(child);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* The smallest buffers there are, on both sides. */
static int prompt_parent(int socket, void *arg) {
        char packet[4096], name[32];
        int i, n, small = 0;

        (void)arg;
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        for (i = 0; i < MANY; i++) {
                BARE_CHECK(bare_receive(socket, packet, sizeof(packet), NULL) > 0);
                n = snprintf(name, sizeof(name), "/src/%d", i);
                BARE_CHECK(bare_send(socket, BARE_MOUNT_FD) == 0 && bare_send_fds(socket, name, (size_t)n, bare_gift,
                                                                                  1) == 0);
        }
        return bare_receive(socket, packet, sizeof(packet), NULL);
}

static void test_small_buffers(void **state) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_mount mounts[MANY];
        struct initsync_child *child = NULL;
        int ours, theirs, pid, status, fds[MANY], i, small = 0;

        (void)state;
        fill(mounts);
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        pid = duo_fork(prompt_parent, ours, NULL, &bare_gift, 1);
        options.parent_fd = ours;
        assert_int_equal(initsync_child_new(&child, theirs, &options, NULL), 0);
        assert_int_equal(initsync_child_mounts(child, mounts, MANY, fds, NULL), 0);
        for (i = 0; i < MANY; i++)
                close(fds[i]);
        initsync_child_free(child);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* Nobody reads: the child waits for room, or for an answer, no longer than its limit. */
static void test_nobody_reads(void **state) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_mount mounts[MANY];
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int ours, theirs, fds[MANY] = { -7 }, i;
        int64_t start;

        (void)state;
        fill(mounts);
        for (i = 0; i < 2; i++) {
                assert_int_equal(initsync_pair(&ours, &theirs), 0);
                while (i == 0 && send(theirs, "x", 1, MSG_DONTWAIT) == 1)
                        ;
                options.timeout_ms = 200;
                start = duo_now();
                assert_int_equal(initsync_child_new(&child, theirs, &options, NULL), 0);
                assert_int_equal(initsync_child_mounts(child, mounts, MANY, fds, &error), -ETIMEDOUT);
                assert_non_null(strstr(error.text, i ? "the parent did not answer in time" : "the parent does not read"));
                assert_int_equal(fds[0], -7);
                assert_true(duo_now() - start >= 200 && duo_now() - start < 1200);
                initsync_child_free(child);
                close(ours);
        }
}

/* The third descriptor finds no room (RLIMIT_NOFILE): which mount it was is said, and the first two are closed. */
static int with_few_descriptors(int socket, void *arg) {
        struct initsync_mount mounts[MANY];
        struct initsync_child *child = NULL;
        struct initsync_error error;
        struct rlimit limit = { 0, 0 };
        int fds[3] = { -7, -7, -7 }, lowest;

        (void)arg;
        fill(mounts);
        BARE_CHECK(initsync_child_new(&child, socket, NULL, NULL) == 0);
        lowest = fcntl(socket, F_DUPFD_CLOEXEC, socket + 1);
        close(lowest);
        limit.rlim_cur = limit.rlim_max = (rlim_t)lowest + 2;
        for (int fd = 3; fd < lowest; fd++)
                BARE_CHECK(fcntl(fd, F_GETFD) >= 0 || dup2(2, fd) == fd);
        BARE_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        BARE_CHECK(initsync_child_mounts(child, mounts, 3, fds, &error) == -EMFILE);
        BARE_CHECK(error.mount == 2 && strcmp(error.path, "/src/2") == 0);
        BARE_CHECK(strstr(error.text, "mount /src/2") && strstr(error.text, "RLIMIT_NOFILE"));
        BARE_CHECK(fds[0] == -7 && fds[1] == -7 && fds[2] == -7);
        BARE_CHECK(fcntl(lowest, F_GETFD) < 0 && fcntl(lowest + 1, F_GETFD) < 0);
        BARE_CHECK(initsync_child_fail(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_few_descriptors(void **state) {
        static const char *const script[] = {
                "<.../src/0", BARE_MOUNT_FD, "@/src/0", "<.../src/1", BARE_MOUNT_FD, "@/src/1", "<.../src/2", BARE_MOUNT_FD,
                        "@/src/2",
                "<...RLIMIT_NOFILE", "<eof", NULL,
        };
        int ours, theirs, pid, status;

        (void)state;
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        pid = duo_fork(with_few_descriptors, theirs, NULL, NULL, 0);
        close(theirs);
        assert_int_equal(bare_play(ours, script), 0);
        close(ours);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* ---- the last words, and the first thing a child does ---- */

static void test_fail(void **state) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct initsync_child *child = NULL;
        char packet[9000];
        int ours, theirs;

        (void)state;
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_child_new(&child, theirs, NULL, NULL), 0);
        error.code = -ENOENT;
        error.step = INITSYNC_STEP_PIVOT;
        error.mount = 3;
        memset(error.text, '\033', sizeof(error.text));         /* the worst there is: not even an end to it */
        memset(error.path, 0xff, sizeof(error.path));
        assert_int_equal(initsync_child_fail(child, &error), 0);
        snprintf(error.text, sizeof(error.text), "second");
        assert_int_equal(initsync_child_fail(child, &error), 0);
        assert_int_equal(initsync_child_hooks(child, NULL), -ENOENT);
        assert_true(bare_receive(ours, packet, sizeof(packet), NULL) > 600);
        assert_non_null(strstr(packet, "\"message\":\"\\\\x1b\\\\x1b"));
        assert_non_null(strstr(packet, "\"code\":-2,\"step\":\"pivot\""));
        assert_non_null(strstr(packet, "\"mount\":3"));
        assert_int_equal(bare_receive(ours, packet, sizeof(packet), NULL), 0);
        initsync_child_free(child);
        close(ours);

        /* nobody there: not a failure, and no SIGPIPE */
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_child_new(&child, theirs, NULL, NULL), 0);
        close(ours);
        assert_int_equal(initsync_child_fail(child, &error), 0);
        initsync_child_free(child);
}

/* A wrong mount is said before anything is sent, and spoils nothing. */
static void test_wrong_mounts(void **state) {
        struct initsync_mount mounts[MANY];
        struct initsync_child *child = NULL;
        struct initsync_error error;
        char packet[64], *path = bytes_repeat("/a", 2048);
        int ours, theirs, fds[2] = { -7, -7 };

        (void)state;
        fill(mounts);
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_child_new(&child, theirs, NULL, NULL), 0);
#define WRONG(member, value, code_, words)                                                               \
        do {                                                                                             \
                struct initsync_mount kept = mounts[1];                                                  \
                mounts[1].member = value;                                                                \
                assert_int_equal(initsync_child_mounts(child, mounts, 2, fds, &error), code_);           \
                assert_non_null(strstr(error.text, words));                                              \
                assert_int_equal(error.mount, 1);                                                        \
                assert_int_equal(fds[0], -7);                                                            \
                mounts[1] = kept;                                                                        \
        } while (0)
        WRONG(source, NULL, -EINVAL, "mount 1: mount: source");
        WRONG(source, "relative", -EINVAL, "mount 1: mount: source");
        WRONG(source, path, -EINVAL, "mount 1: mount: source");
        WRONG(size, 8, -EINVAL, "mount 1: mount: size");
        WRONG(flags, UINT64_C(1) << 20, -EINVAL, "mount 1: mount: flags");
        WRONG(userns_fd, 3, -EINVAL, "mount 1: mount: userns_fd");
        WRONG(source_fd, 3, -EINVAL, "mount 1: mount: source_fd");
        WRONG(n_uids, 1, -EINVAL, "mount 1: mount: uids and gids");
        mounts[0].source = "/\xff";
        assert_int_equal(initsync_child_mounts(child, mounts, 1, fds, &error), -EILSEQ);
        assert_string_equal(error.path, "/\\xff");
        assert_int_equal(initsync_child_mounts(child, mounts, 0, fds, &error), 0);
        assert_int_equal(recv(ours, packet, sizeof(packet), MSG_DONTWAIT), -1);
        close(ours);
        assert_int_equal(initsync_child_hooks(child, &error), -ECONNRESET);
        initsync_child_free(child);
        free(path);
}

static int keeps(int socket, void *arg) {
        static const int wanted[] = { 90, 17, 5, 17, -1, 2, 400 };
        int keep[65], fd, i;

        (void)arg;
        for (fd = 3; fd < 410; fd++)
                dup2(2, fd);
        for (i = 0; i < 65; i++)
                keep[i] = 3;
        BARE_CHECK(initsync_child_only(keep, 65) == -EINVAL && fcntl(100, F_GETFD) >= 0);
        BARE_CHECK(initsync_child_only(wanted, 7) == 0);
        for (fd = 0; fd < 420; fd++)
                BARE_CHECK((fcntl(fd, F_GETFD) >= 0) == (fd < 3 || fd == 5 || fd == 17 || fd == 90 || fd == 400));
        BARE_CHECK(initsync_child_only(NULL, 0) == 0);
        for (fd = 0; fd < 420; fd++)
                BARE_CHECK((fcntl(fd, F_GETFD) >= 0) == (fd < 3));
        (void)socket;
        return 0;
}

static void test_only(void **state) {
        int status, pid = duo_fork(keeps, 2, NULL, NULL, 0);

        (void)state;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* ---- between the load of a filter and the answer: write(2) and read(2), whatever comes ---- */

struct strict {
        const char *const *parent;
        uint64_t flags;
        int code;
};

static int under_filter(int socket, void *arg) {
        static const int calls[] = { SYS_write, SYS_read, SYS_close, SYS_exit_group };
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        const struct strict *strict = arg;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int r;

        options.flags = strict->flags;
        options.timeout_ms = 200;
        BARE_CHECK(initsync_child_new(&child, socket, &options, NULL) == 0);
        BARE_CHECK(initsync_child_ready(child, NULL) == 0);
        BARE_CHECK(initsync_child_prepare_seccomp(child, NULL) == 0);
        BARE_CHECK(filter_only(calls, 4) >= 0);
        r = initsync_child_seccomp(child, 2, &error);
        syscall(SYS_close, socket);
        syscall(SYS_exit_group, r == strict->code ? 0 : 1);
        return 0;
}

static void test_strict_filter(void **state) {
        static const char *const good[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), BARE_SECCOMP_DONE, "<eof",
                                            NULL };
        static const char *const refused[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), BARE_ERROR("no \\u001b"),
                                               "<eof", NULL };
        static const char *const wrong[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), "nonsense", "<eof", NULL };
        static const char *const silent[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), "<eof", NULL };
        static const char *const by_fd[] = { "<" BARE_READY, BARE_RUN, "<{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":2}",
                                             "<fd", BARE_SECCOMP_DONE, "<eof", NULL };
        const struct strict cases[] = {
                { good, 0, 0 }, { refused, 0, -EREMOTEIO }, { wrong, 0, -EPROTO }, { silent, 0, -ETIMEDOUT },
                { by_fd, INITSYNC_CHILD_SECCOMP_FD, 0 },
        };
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                int ours, theirs, status, pid;

                assert_int_equal(initsync_pair(&ours, &theirs), 0);
                pid = duo_fork(under_filter, theirs, (void *)&cases[i], NULL, 0);
                close(theirs);
                assert_int_equal(bare_play(ours, cases[i].parent), 0);
                close(ours);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_window),
                left_test(test_small_buffers),
                left_test(test_nobody_reads),
                left_test(test_few_descriptors),
                left_test(test_fail),
                left_test(test_wrong_mounts),
                left_test(test_only),
                left_test(test_strict_filter),
        };

        bare_gift = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
