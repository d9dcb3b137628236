/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/left.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include "console.h"

/* What a child can send instead of a terminal's master, and what the parent makes of it. */

static void send_fds(int socket, const char *name, size_t size, const int *fds, size_t n) {
        char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
        struct iovec data = { (void *)(uintptr_t)name, size };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
        struct cmsghdr *header = (struct cmsghdr *)control;

        if (n > 0) {
                message.msg_control = control;
                message.msg_controllen = CMSG_SPACE(n * sizeof(int));
                *header = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
                memcpy(CMSG_DATA(header), fds, n * sizeof(int));
        }
        assert_true(sendmsg(socket, &message, 0) >= 0);
}

static int new_master(void) {
        int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd;
}

/* A packet with @n of @fds, closed here; what console_receive() returns, and the descriptor. */
static int receive(const char *name, size_t size, const int *fds, size_t n, int *ret_master) {
        struct initsync_error error;
        int ours, theirs, r;
        size_t i;

        assert_int_equal(console_pair(&ours, &theirs, &error), 0);
        send_fds(theirs, name, size, fds, n);
        for (i = 0; i < n; i++)
                close(fds[i]);
        close(theirs);
        r = console_receive(ours, ret_master, &error);
        if (r < 0)
                assert_true(strstr(error.text, "the child sent"));
        close(ours);
        return r;
}

static void test_master(void **state) {
        int fd = new_master(), got = -1, number;

        (void)state;
        assert_int_equal(receive("/dev/ptmx", 9, &fd, 1, &got), 0);
        assert_int_equal(ioctl(got, TIOCGPTN, &number), 0);
        assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
        close(got);
}

/* Each is another kind of file, also the other end of a terminal, and the device when it is not opened. */
static void test_others(void **state) {
        int master = new_master(), unlocked = 0, ends[2], fds[8], got = -1;
        size_t n = 0, i;

        (void)state;
        assert_int_equal(ioctl(master, TIOCSPTLCK, &unlocked), 0);
        fds[n++] = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        fds[n++] = open("/dev/null", O_RDWR | O_CLOEXEC);
        fds[n++] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        fds[n++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fds[n++] = open("/dev/ptmx", O_PATH | O_CLOEXEC);
        fds[n++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        fds[n++] = ends[0];
        fds[n++] = ends[1];
        for (i = 0; i < n; i++) {
                assert_true(fds[i] >= 0);
                assert_int_equal(receive("/dev/ptmx", 9, &fds[i], 1, &got), -EPROTO);
                assert_int_equal(got, -1);
        }
        close(master);
}

static void test_numbers(void **state) {
        int fds[4], got = -1;
        size_t n, i;

        (void)state;
        for (n = 0; n <= 4; n++) {
                if (n == 1)
                        continue;
                for (i = 0; i < n; i++)
                        fds[i] = new_master();
                assert_int_equal(receive("/dev/ptmx", 9, fds, n, &got), -EPROTO);
        }
        assert_int_equal(got, -1);
}

static void test_names(void **state) {
        static char name[5000];
        int fd, got = -1;

        (void)state;
        memset(name, 'n', sizeof(name));
        fd = new_master();
        assert_int_equal(receive(name, 4096, &fd, 1, &got), 0);
        close(got);
        got = -1;
        fd = new_master();
        assert_int_equal(receive(name, 4097, &fd, 1, &got), -EPROTO);
        assert_int_equal(got, -1);
}

/* Nothing at all: from one that is gone at once, from one that is there in bounded time. */
static void test_silence(void **state) {
        struct timespec before, after;
        struct initsync_error error;
        int ours, theirs, got = -1;

        (void)state;
        assert_int_equal(console_pair(&ours, &theirs, &error), 0);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(console_receive(ours, &got, &error), -EPROTO);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(after.tv_sec - before.tv_sec, 4, 7);
        close(theirs);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(console_receive(ours, &got, &error), -EPROTO);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(after.tv_sec - before.tv_sec, 0, 1);
        assert_string_equal(error.text, "the child sent no terminal");
        assert_int_equal(got, -1);
        close(ours);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_master), left_test(test_others), left_test(test_numbers), left_test(test_names),
                left_test(test_silence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
