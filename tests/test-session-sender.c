/* SPDX-License-Identifier: MIT */

/*
 * The descriptor form of procSeccomp under a filter that denies sendmsg(2): another process sends, which must not outlive
 * its work, nor the child, nor keep the socket open for a child that is gone.
 */

#include "support/support.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"
#include "support/sender.h"
#include "kernel/syscalls.h"

static int nobody_left(void) {
        struct timespec moment = { 0, 1000000 };
        siginfo_t info;
        int i;

        for (i = 0; i < 1000; i++, nanosleep(&moment, NULL))
                if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG | __WALL) < 0 && errno == ECHILD)
                        return 1;
        return 0;
}

/* ---- it sends, and is gone ---- */

static int sends(int socket, void *arg) {
        struct initsync_child *child = sender_begin(socket);
        struct sigaction action;

        (void)arg;
        BARE_CHECK(child);
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == 0);
        BARE_CHECK(nobody_left());
        sigaction(SIGCHLD, NULL, &action);
        BARE_CHECK(action.sa_handler == SIG_DFL);
        initsync_child_free(child);
        return 0;
}

static void test_sends(void **state) {
        int64_t ms;

        (void)state;
        assert_int_equal(sender_play(sends, sender_good, &ms), 0);
}

/* ---- a child that gives up: the filter did not load ---- */

static int gives_up(int socket, void *arg) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct initsync_child *child = sender_begin(socket);

        (void)arg;
        BARE_CHECK(child);
        error.code = -EACCES;
        strcpy(error.text, "no filter");
        BARE_CHECK(initsync_child_fail(child, &error) == 0);
        initsync_child_free(child);
        BARE_CHECK(nobody_left());
        return 0;
}

static void test_gives_up(void **state) {
        static const char *const script[] = { "<" BARE_READY, BARE_RUN, "<...no filter", "<eof", NULL };
        int64_t ms;

        (void)state;
        assert_int_equal(sender_play(gives_up, script, &ms), 0);
}

/* ---- a child that its own filter kills: nobody but the sender could hold the socket open then ---- */

static int is_killed(int socket, void *arg) {
        static const int calls[] = { SYS_read, SYS_close, SYS_exit_group };
        struct initsync_child *child = sender_begin(socket);

        (void)arg;
        BARE_CHECK(child);
        BARE_CHECK(filter_only(calls, 3) >= 0);
        initsync_child_seccomp(child, 2, NULL);
        return 1;
}

static void test_killed(void **state) {
        static const char *const script[] = { "<" BARE_READY, BARE_RUN, "<eof", NULL };
        int64_t ms;
        int status;

        (void)state;
        status = sender_play(is_killed, script, &ms);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        assert_in_range(ms, 0, 2000);
}

/* ---- a parent that takes no descriptors, since it was not told that one comes ---- */

static int is_refused(int socket, void *arg) {
        struct initsync_child *child = sender_begin(socket);
        struct initsync_error error;

        (void)arg;
        BARE_CHECK(child);
        BARE_CHECK(initsync_child_seccomp(child, 2, &error) == -EPERM);
        BARE_CHECK(strcmp(error.call, "sendmsg") == 0);
        BARE_CHECK(initsync_child_fail(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_refused(void **state) {
        static const char *const script[] = { "<" BARE_READY, BARE_RUN, SENDER_MESSAGE, "<...procError", "<eof", NULL };
        int ours, theirs, status, pid, off = 0;

        (void)state;
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        if (setsockopt(ours, SOL_SOCKET, SYS_SO_PASSRIGHTS, &off, sizeof(off)) < 0) {
                close(ours);
                close(theirs);
                print_message("# before Linux 6.16 nobody can refuse descriptors\n");
                skip();
        }
        pid = duo_fork(is_refused, theirs, NULL, NULL, 0);
        close(theirs);
        assert_int_equal(bare_play(ours, script), 0);
        close(ours);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* ---- what it uses is its own until it ends, whatever the child does meanwhile ---- */

static int wait_for_fds(int n) {
        int i;

        for (i = 0; i < 5000 && support_fd_count() != n; i++)
                usleep(1000);
        return support_fd_count() == n;
}

/* A number that is free again while the sender may still use it could be anybody's. */
static int is_slow(int socket, void *arg) {
        int fds = support_fd_count(), pid;
        struct initsync_child *child = sender_begin(socket);
        siginfo_t info;

        (void)arg;
        BARE_CHECK(child);
        pid = sender_pid();
        BARE_CHECK(pid > 1 && support_fd_count() == fds + 3);
        BARE_CHECK(kill(pid, SIGSTOP) == 0);
        BARE_CHECK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | __WALL) == 0);
        initsync_child_free(child);
        BARE_CHECK(support_fd_count() == fds - 1 + 2);
        BARE_CHECK(kill(pid, SIGCONT) == 0);
        BARE_CHECK(wait_for_fds(fds - 1) && nobody_left());
        return 0;
}

static void test_slow(void **state) {
        static const char *const script[] = { "<" BARE_READY, BARE_RUN, "<eof", NULL };
        int64_t ms;

        (void)state;
        assert_int_equal(sender_play(is_slow, script, &ms), 0);
}

/* ---- a descriptor that cannot be sent: the parent, which expects it, hears why ---- */

static int has_none(int socket, void *arg) {
        struct initsync_child *child = sender_begin(socket);
        struct initsync_error error;

        (void)arg;
        BARE_CHECK(child);
        BARE_CHECK(initsync_child_seccomp(child, 900, &error) == -EBADF);
        BARE_CHECK(initsync_child_fail(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_told(void **state) {
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
        duo_start(&duo, has_none, NULL);
        duo_run(&duo);
        duo_failed(&duo, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_SECCOMP, "Bad file descriptor");
        assert_string_equal(duo_trace(&duo), "> procReady, < procRun, > procSeccomp, > procError");
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

/* ---- it has ended when the child goes on: what is executed then has no child that it does not know ---- */

#define HELD_MS 60

static int hold(int pid, int ready) {
        int status;

        if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) < 0)
                return write(ready, "n", 1) != 1;
        if (write(ready, "y", 1) != 1 || waitpid(pid, &status, __WALL) != pid ||
            status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8))
                return 1;
        usleep(HELD_MS * 1000);
        return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0;
}

static int is_held(int socket, void *arg) {
        struct initsync_child *child = sender_begin(socket);
        int pid = sender_pid(), pipes[2];
        int64_t start;
        char byte = 0;

        (void)arg;
        BARE_CHECK(child && pid > 1 && pipe2(pipes, O_CLOEXEC) == 0);
        if (fork() == 0)
                _exit(hold(pid, pipes[1]));
        BARE_CHECK(read(pipes[0], &byte, 1) == 1);
        start = duo_now();
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == 0);
        BARE_CHECK(byte == 'n' || duo_now() - start >= HELD_MS - 5);
        initsync_child_free(child);
        return 0;
}

static void test_held(void **state) {
        int64_t ms;

        (void)state;
        assert_int_equal(sender_play(is_held, sender_good, &ms), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_sends),
                left_test(test_gives_up),
                left_test(test_killed),
                left_test(test_refused),
                left_test(test_slow),
                left_test(test_told),
                left_test(test_held),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
