/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/left.h"
#include "support/namespace.h"
#include "support/place.h"
#include "support/slowfs.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "console.h"

#define PLACE "/tmp"            /* a tmpfs of the test's own lies on it */

/* Instead of a terminal's master, a file whose close(2) never returns: that of a file server that does not answer. */
static void test_hung(void **state) {
        int server = slowfs_start(PLACE, 0), ours, theirs, fd, got = -1, status;
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct iovec data = { (char[]){ "x" }, 1 };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof(control) };
        struct timespec before, after;
        struct initsync_error error;
        pid_t child;

        (void)state;
        assert_true(server > 0);
        assert_int_equal(console_pair(&ours, &theirs, &error), 0);
        child = fork();
        if (child == 0) {
                fd = open(PLACE "/file", O_RDWR | O_CLOEXEC);
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
                assert(fd >= 0 && sendmsg(theirs, &message, 0) == 1);
                _exit(0);       /* hangs, with the file */
        }
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(console_receive(ours, &got, &error), -EPROTO);
        close(ours);            /* with the packet in it */
        close(theirs);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(after.tv_sec - before.tv_sec, 1, 4);
        assert_string_equal(error.text, "what the child sent is not a terminal's master");
        assert_int_equal(got, -1);
        assert_int_equal(waitpid(-1, &status, WNOHANG), 0);     /* they do hang: it was such a file */
        slowfs_stop(server, PLACE);
        while (waitpid(-1, &status, 0) > 0)
                continue;
}

int main(void) {
#ifdef __SANITIZE_THREAD__
        /* Its thread of its own forbids the forked children here what they are about: namespaces, and closing what hangs. */
        puts("1..0 # SKIP ThreadSanitizer's own thread forbids what the children here do");
        return 0;
#endif
        const struct CMUnitTest tests[] = { left_test(test_hung) };
        int server;

        if (!namespace_root() || !place_enter() || mount("none", PLACE, "tmpfs", 0, NULL) < 0) {
                printf("1..0 # SKIP needs root\n");
                return 0;
        }
        server = slowfs_start(PLACE, 0);
        if (server < 0) {
                printf("1..0 # SKIP no FUSE: %s\n", strerror(-server));
                return 0;
        }
        slowfs_stop(server, PLACE);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
