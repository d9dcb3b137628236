/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/deny.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/place.h"
#include "support/process.h"

#include <limits.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* What a conversation costs the loop that it is one of: it is readable when there is something to do, and then only. */

#define GRACE_MS 300
#define DISPATCHES 40           /* a loop that spins makes many thousands in that time */
#define CPU_MS 200

static int may_mount;

struct cost {
        int dispatches;
        long cpu_ms;
};

static long cpu_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As a loop that has no other conversation: until the end or, at most, for @ms. */
static int drive(struct duo *duo, int ms, struct cost *cost) {
        struct pollfd one = { .fd = initsync_parent_get_fd(duo->parent), .events = POLLIN };
        int64_t end = duo_now() + ms, left;
        long start = cpu_now();
        int r = 1;

        while (r == 1 && (left = end - duo_now()) > 0) {
                if (poll(&one, 1, (int)left) != 1)
                        continue;
                r = initsync_parent_dispatch(duo->parent, &duo->error);
                cost->dispatches++;
        }
        cost->cpu_ms += cpu_now() - start;
        return duo->result = r;
}

static void cheap(const struct cost *cost) {
        if (cost->dispatches > DISPATCHES || cost->cpu_ms > CPU_MS)
                fail_msg("%d dispatches, %ld ms of CPU", cost->dispatches, cost->cpu_ms);
}

static const struct initsync_mount *tmp_and(const char *other) {
        static struct initsync_mount mounts[2];
        const struct initsync_mount none = INITSYNC_MOUNT_INIT;

        mounts[0] = mounts[1] = none;
        mounts[0].source = "/tmp";
        mounts[1].source = other;
        return mounts;
}

static void start(struct duo *duo, const char *const *script) {
        duo_init(duo);
        duo->options.mounts = tmp_and("/not/there");
        duo->options.n_mounts = 2;
        duo->options.grace_ms = GRACE_MS;
        duo_start(duo, bare_child, (void *)script);
}

/* @copied: another process, such as the next container's init, has all descriptors of this one. */
static void fail_slowly(int copied) {
        static const char *const script[] = { BARE_MOUNT("/tmp"), "<" BARE_MOUNT_FD, "<fd", "~150", BARE_MOUNT("/not/there"),
                                              ".", NULL };
        struct cost cost = { 0, 0 };
        struct duo duo;
        int copy = -1;

        start(&duo, script);
        assert_int_equal(drive(&duo, 100, &cost), 1);
        if (copied && (copy = process_fork()) == 0)
                for (;;)
                        pause();
        duo.took_ms = duo_now();
        drive(&duo, 10000, &cost);
        duo.took_ms = duo_now() - duo.took_ms;
        if (copied)
                process_end(copy);
        duo_failed(&duo, -ENOENT, INITSYNC_STAGE_MOUNT, INITSYNC_STEP_MOUNTS, "/not/there");
        assert_true(duo.took_ms >= GRACE_MS);
        duo_end(&duo);
        cheap(&cost);
}

static void test_grace(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        fail_slowly(0);
}

static void test_grace_with_a_copy(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        fail_slowly(1);
}

/* After the last mount its task is gone, and its socket must not be heard of either, whoever else has it. */
static void work_with_a_copy(int answer) {
        static const char *const script[] = { BARE_MOUNT("/tmp"), "<" BARE_MOUNT_FD, "<fd", "~150", BARE_HOOKS,
                                              "<" BARE_HOOKS_DONE, "~150", BARE_READY, "~350", NULL };
        struct cost cost = { 0, 0 };
        struct duo duo;
        int copy;

        start(&duo, script);
        assert_int_equal(drive(&duo, 100, &cost), 1);
        copy = process_fork();
        if (copy == 0)
                for (;;)
                        pause();
        duo.answers[DUO_READY] = answer;
        drive(&duo, 10000, &cost);
        process_end(copy);
        duo_end(&duo);
        assert_int_equal(duo.result, answer);
        cheap(&cost);
}

static void test_work_with_a_copy(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        work_with_a_copy(0);
}

static void test_late_grace_with_a_copy(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        work_with_a_copy(-ENOSPC);
}

static int readable(const struct duo *duo, int ms) {
        struct pollfd one = { .fd = initsync_parent_get_fd(duo->parent), .events = POLLIN };

        return poll(&one, 1, ms) == 1;
}

static void test_readable_after_the_end(void **state) {
        static const char *const silent[] = { "~100", BARE_MOUNT("/not/listed"), ".", NULL };
        struct cost cost = { 0, 0 };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.allow = NULL;
        duo.options.grace_ms = GRACE_MS;
        duo_start(&duo, bare_child, (void *)silent);
        assert_int_equal(drive(&duo, 50, &cost), 1);
        assert_false(readable(&duo, 0));
        assert_int_equal(drive(&duo, 200, &cost), 1);
        assert_int_equal(duo.calls[DUO_ALLOW], 0);
        assert_int_equal(duo.n_events, 2);      /* it is told, and has its grace */
        assert_false(readable(&duo, 0));
        drive(&duo, 10000, &cost);
        assert_true(readable(&duo, 1000) && readable(&duo, 0));
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS, "/not/listed");
        cheap(&cost);
        duo_end(&duo);
}

static void test_readable_after_success(void **state) {
        static const char *const script[] = { BARE_READY, "<" BARE_RUN, "~200", NULL };
        struct cost cost = { 0, 0 };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, bare_child, (void *)script);
        assert_int_equal(drive(&duo, 120, &cost), 1);
        assert_false(readable(&duo, 0));
        assert_int_equal(drive(&duo, 10000, &cost), 0);
        assert_true(readable(&duo, 1000) && readable(&duo, 0));
        cheap(&cost);
        duo_end(&duo);
}

/* ---- an event loop that is broken under it ---- */

static void close_under(int (*go)(struct duo *duo)) {
        static const char *const script[] = { ".", NULL };
        struct duo duo;

        duo_init(&duo);
        duo_start(&duo, bare_child, (void *)script);
        close(initsync_parent_get_fd(duo.parent));
        alarm(5);                       /* a library that does not see it waits for ever */
        go(&duo);
        alarm(0);
        assert_true(process_gone(duo.pidfd, 2000));
        assert_null(strstr(duo.error.text, "still there"));     /* nobody waited for that long */
        duo_failed(&duo, -EBADF, INITSYNC_STAGE_WIRE, INITSYNC_STEP_MOUNTS, "event loop of the conversation");
        assert_true(duo.took_ms < 2000);
        duo_end(&duo);
}

static void test_closed_run(void **state) {
        (void)state;
        close_under(duo_run);
}

static void test_closed_dispatch(void **state) {
        (void)state;
        close_under(duo_loop);
}

/* fs.epoll.max_user_watches is reached: the socket cannot be watched, and that is said at once. */
static int new_without_watches(void) {
        const struct initsync_parent_options options = { .size = sizeof(options) };
        struct initsync_parent *parent = NULL;
        int ours, theirs, pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0), r;

        BARE_CHECK(pidfd >= 0 && initsync_pair(&ours, &theirs) == 0);
        deny_call_if(SYS_epoll_ctl, 2, (unsigned)ours, ENOSPC);
        r = initsync_parent_new(&parent, ours, pidfd, &options, NULL);
        if (r != -ENOSPC)
                fprintf(stderr, "# initsync_parent_new(): %d\n", r);
        BARE_CHECK(r == -ENOSPC && !parent);
        return 0;
}

static void test_no_room_for_watches(void **state) {
        int pid, status;

        (void)state;
        fflush(NULL);
        pid = process_fork();
        if (pid == 0)
                _exit(new_without_watches());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* ---- options that would keep a loop waiting for ever ---- */

static void refused(const struct initsync_parent_options *options, int pidfd, int code, const char *text) {
        struct initsync_parent *parent = NULL;
        struct initsync_error error;
        int ours, theirs;

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_parent_new(&parent, ours, pidfd, options, &error), code);
        assert_non_null(strstr(error.text, text));
        assert_null(parent);
        close(theirs);
}

static void test_negative_grace(void **state) {
        static const int wrong[] = { INITSYNC_NO_LIMIT, -2, INT_MIN };
        struct initsync_parent_options options = { .size = sizeof(options) };
        int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                options.grace_ms = wrong[i];
                refused(&options, pidfd, -EINVAL, "grace_ms");
        }
        close(pidfd);
}

/* pidfd_send_signal(2) takes it for one, and poll(2) does not. */
static void test_directory_for_a_pidfd(void **state) {
        const struct initsync_parent_options options = { .size = sizeof(options) };
        int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)state;
        assert_true(fd >= 0);
        refused(&options, fd, -EBADF, "pidfd");
        close(fd);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_grace),
                left_test(test_grace_with_a_copy),
                left_test(test_work_with_a_copy),
                left_test(test_late_grace_with_a_copy),
                left_test(test_readable_after_the_end),
                left_test(test_readable_after_success),
                left_test(test_closed_run),
                left_test(test_closed_dispatch),
                left_test(test_no_room_for_watches),
                left_test(test_negative_grace),
                left_test(test_directory_for_a_pidfd),
        };

        may_mount = place_enter() && mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
        if (!may_mount)
                print_message("# no mounts here: %s\n", place_why());
        return cmocka_run_group_tests(tests, NULL, NULL);
}
