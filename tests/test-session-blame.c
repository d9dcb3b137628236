/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"

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

/* ---- sockets on which somebody has asked the kernel for credentials, labels, pidfds, times ---- */

static const int names[] = { SO_PASSCRED, SO_PASSSEC, SYS_SO_PASSPIDFD, SO_TIMESTAMP };

static int polite(int socket, void *arg) {
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fds = support_fd_count(), r, i, on;

        (void)arg;
        BARE_CHECK(initsync_child_new(&child, socket, NULL, NULL) == 0);
        for (i = 0; i < 4; i++)
                BARE_CHECK(getsockopt(socket, SOL_SOCKET, names[i], &on, &(socklen_t){ sizeof(on) }) < 0 || on == 0);
        r = initsync_child_hooks(child, &error);
        if (r < 0)
                fprintf(stderr, "# %s\n", error.text);
        BARE_CHECK(r == 0 && initsync_child_ready(child, NULL) == 0);
        BARE_CHECK(support_fd_count() == fds);  /* a pidfd that came with an answer is not left */
        initsync_child_free(child);
        return 0;
}

static int yes(void *userdata, struct initsync_error *reterr) {
        (void)userdata;
        (void)reterr;
        return 0;
}

static void test_socket_options(void **state) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        int i;

        (void)state;
        options.hooks = yes;
        for (i = 0; i < 4; i++) {
                struct initsync_parent *parent;
                struct initsync_error error = INITSYNC_ERROR_INIT;
                int ours, theirs, pid, pidfd, r, status, on = 1;

                assert_int_equal(initsync_pair(&ours, &theirs), 0);
                r = setsockopt(ours, SOL_SOCKET, names[i], &on, sizeof(on));
                assert_int_equal(setsockopt(theirs, SOL_SOCKET, names[i], &on, sizeof(on)), r);
                assert_true(r == 0 || errno == ENOPROTOOPT || errno == EOPNOTSUPP);
                pid = duo_fork(polite, theirs, NULL, NULL, 0);
                close(theirs);
                pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
                assert_int_equal(initsync_parent_new(&parent, ours, pidfd, &options, NULL), 0);
                r = initsync_parent_run(parent, &error);
                if (r < 0)
                        print_message("# option %d: %s\n", names[i], error.text);
                assert_int_equal(r, 0);
                initsync_parent_free(parent);
                close(pidfd);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
        }
}

/* ---- a socket at one of the standard numbers, for which there is no other ---- */

static void test_no_number(void **state) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct initsync_parent *parent;
        struct initsync_child *child;
        struct initsync_error error;
        struct rlimit kept, none;
        int pair[2], stdio = dup(0), r, side;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
        for (side = 0; side < 2; side++) {
                assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
                assert_int_equal(dup2(pair[0], 0), 0);
                r = fcntl(0, F_DUPFD_CLOEXEC, 3);       /* the lowest number that is free */
                close(r);
                none = kept;
                none.rlim_cur = (rlim_t)r;
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
                r = side ? initsync_parent_new(&parent, 0, -1, &options, &error) : initsync_child_new(&child, 0, NULL, &error);
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
                assert_int_equal(dup2(stdio, 0), 0);
                close(pair[0]);
                close(pair[1]);
                assert_int_equal(r, -EMFILE);
                assert_string_equal(error.call, "fcntl");
        }
        close(stdio);
}

/* ---- answers, and behind them why there will be no more ---- */

static int answers_and_fails(int socket, void *arg) {
        int i;

        (void)arg;
        for (i = 0; i < 32; i++)
                if (bare_send(socket, BARE_MOUNT_FD) < 0 || bare_send_fds(socket, "/src", 4, 2, 1) < 0)
                        return 1;
        return bare_send(socket, BARE_ERROR("out of cheese")) < 0;
}

static void test_words_behind_answers(void **state) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child *child;
        struct initsync_error error;
        struct pollfd gone;
        int ours, theirs, pid, status, fd = -7;

        (void)state;
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        pid = duo_fork(answers_and_fails, ours, NULL, NULL, 0);
        options.parent_fd = ours;
        assert_int_equal(initsync_child_new(&child, theirs, &options, NULL), 0);
        gone = (struct pollfd){ .fd = theirs, .events = POLLRDHUP };
        assert_int_equal(poll(&gone, 1, 10000), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        mount.source = "/src";
        assert_int_equal(initsync_child_mount(child, &mount, &fd, &error), -EREMOTEIO);
        assert_non_null(strstr(error.text, "out of cheese"));
        initsync_child_free(child);
}

/* ---- what is wrong with an argument is found before anything is sent, and the conversation goes on ---- */

static int wrong_at_first(int socket, void *arg) {
        static const struct initsync_idmap wraps = { 1, 0, UINT32_MAX };
        struct initsync_mount mounts[2] = { INITSYNC_MOUNT_INIT, INITSYNC_MOUNT_INIT };
        static struct initsync_idmap many[INITSYNC_IDMAP_MAX + 1];
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fds[2];

        (void)arg;
        BARE_CHECK(initsync_child_new(&child, socket, NULL, NULL) == 0);
        mounts[0].source = "/src";
        mounts[1].source = "/\xff";
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == -EILSEQ && error.mount == 1);
        mounts[1].source = "/src";
        mounts[1].destination = "/\xff";
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == -EILSEQ && error.mount == 1);
        mounts[1].destination = NULL;
        mounts[1].userns_path = "/\xff";
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == -EILSEQ && error.mount == 1);
        mounts[1].userns_path = NULL;
        mounts[1].uids = mounts[1].gids = &wraps;
        mounts[1].n_uids = mounts[1].n_gids = 1;
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == -ERANGE && error.mount == 1);
        mounts[1].uids = many;
        mounts[1].n_uids = INITSYNC_IDMAP_MAX + 1;
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == -E2BIG && error.mount == 1);
        BARE_CHECK(initsync_child_hooks(child, NULL) == 0 && initsync_child_ready(child, NULL) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_nothing_sent(void **state) {
        static const struct initsync_idmap wraps = { 1, 0, UINT32_MAX };
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_parent *parent;
        struct duo duo;
        int ours, theirs;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, wrong_at_first, NULL);
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        mount.source = "/src";
        mount.uids = mount.gids = &wraps;
        mount.n_uids = mount.n_gids = 1;
        options.mounts = &mount;
        options.n_mounts = 1;
        duo.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        assert_int_equal(initsync_parent_new(&parent, ours, duo.pidfd, &options, NULL), -ERANGE);
        close(duo.pidfd);
        close(theirs);
}

/* ---- a child that is dead when its listener is asked for ---- */

static int dies_at_once(int socket, void *arg) {
        static const char *const script[] = { BARE_READY, "<" BARE_RUN, BARE_SECCOMP("2"), NULL };

        (void)arg;
        return bare_play(socket, script) < 0 ? 1 : 5;
}

static void test_dead_at_seccomp(void **state) {
        struct pollfd one;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, dies_at_once, NULL);
        while (duo.calls[DUO_READY] == 0)
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
        one = (struct pollfd){ .fd = duo.pidfd, .events = POLLIN };
        assert_int_equal(poll(&one, 1, 8000), 1);
        duo_run(&duo);
        duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_SECCOMP, "died before");
        assert_int_equal(WEXITSTATUS(duo.error.status), 5);
        assert_int_equal(duo.calls[DUO_SECCOMP], 0);
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_table_full),
                left_test(test_socket_options),
                left_test(test_no_number),
                left_test(test_words_behind_answers),
                left_test(test_nothing_sent),
                left_test(test_dead_at_seccomp),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
