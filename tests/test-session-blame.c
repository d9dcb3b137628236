/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* What is no fault of an honest child, and must not be told as one. */

/* ---- a runtime without room for it: no fault of the child's, which is told, and has its grace ---- */

static int honest(int socket, void *arg) {
        static const char *const before[] = { BARE_READY, "<" BARE_RUN, "~200", NULL };
        static const char *const after[] = { "<...procError", "~100", NULL };

        (void)arg;
        BARE_CHECK(bare_play(socket, before) == 0);
        BARE_CHECK(bare_send(socket, "{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":3}") == 0);
        BARE_CHECK(bare_send_fds(socket, "seccomp", 7, 2, 1) == 0);
        return bare_play(socket, after) == 0 ? 7 : 1;
}

static void test_table_full(void **state) {
        struct rlimit kept, none;
        struct duo duo;
        int fd;

        (void)state;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
        duo.options.grace_ms = 5000;
        duo_start(&duo, honest, NULL);
        while (duo.calls[DUO_READY] == 0)
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
        fd = fcntl(2, F_DUPFD_CLOEXEC, 0);      /* the lowest number that is free */
        close(fd);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
        none = kept;
        none.rlim_cur = (rlim_t)fd;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        duo_run(&duo);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
        duo_failed(&duo, -EMFILE, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_SECCOMP, "receiving its descriptor");
        duo_end(&duo);
        assert_true(WIFEXITED(duo.status) && WEXITSTATUS(duo.status) == 7);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_table_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
