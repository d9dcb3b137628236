/* SPDX-License-Identifier: MIT */
/* The descriptor form of procSeccomp where no other process may send: the child does it itself, and is as it was before. */

#include "support/support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "support/bare.h"
#include "support/deny.h"
#include "support/left.h"
#include "support/sender.h"

/* ---- where no process can be made, the child sends it itself ---- */

static int has_no_sender(int socket, void *arg) {
        struct sigaction ours = { .sa_handler = SIG_IGN }, theirs;
        struct initsync_child *child;

        (void)arg;
        deny_call(SYS_clone, EAGAIN);
        sigaction(SIGCHLD, &ours, NULL);
        child = sender_begin(socket);
        BARE_CHECK(child);
        sigaction(SIGCHLD, NULL, &theirs);
        BARE_CHECK(theirs.sa_handler == SIG_IGN);       /* nothing was started, so that nothing was changed for it */
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_no_sender(void **state) {
        int64_t ms;

        (void)state;
        assert_int_equal(sender_play(has_no_sender, sender_good, &ms), 0);
}

/* ---- nor where it would become the first of a PID namespace, and end that ---- */

static int new_pids(void) {
        return unshare(CLONE_NEWPID) < 0 ? unshare(CLONE_NEWUSER | CLONE_NEWPID) : 0;
}

static int unshare_works(void) {
        int pid = fork(), status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(new_pids() == 0 ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status == 0;
}

static int is_outside(int socket, void *arg) {
        struct initsync_child *child;
        int pid, status;

        (void)arg;
        BARE_CHECK(new_pids() == 0);
        child = sender_begin(socket);
        BARE_CHECK(child);
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == 0);
        pid = fork();
        if (pid == 0)
                _exit(getpid() == 1 ? 0 : 1);
        BARE_CHECK(pid > 0);
        BARE_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        initsync_child_free(child);
        return 0;
}

static void test_outside(void **state) {
        int64_t ms;

        (void)state;
        if (unshare_works() == 0) {
                print_message("# no PID namespaces here\n");
                skip();
        }
        assert_int_equal(sender_play(is_outside, sender_good, &ms), 0);
}

/* ---- what it was started from: a thread that is not the first sends by itself, and nothing is left as it was not ---- */

static void *sends_from_a_thread(void *arg) {
        struct initsync_child *child = sender_begin(*(int *)arg);

        if (child && sender_pid() == 0 && initsync_child_seccomp(child, 2, NULL) == 0) {
                initsync_child_free(child);
                return arg;
        }
        return NULL;
}

static int is_a_thread(int socket, void *arg) {
        pthread_t thread;
        void *result = NULL;

        (void)arg;
        BARE_CHECK(pthread_create(&thread, NULL, sends_from_a_thread, &socket) == 0);
        BARE_CHECK(pthread_join(thread, &result) == 0 && result == &socket);
        return 0;
}

static void test_thread(void **state) {
        int64_t ms;

        (void)state;
#ifdef __SANITIZE_THREAD__
        skip();                 /* a forked process cannot start a thread under it */
#endif
        assert_int_equal(sender_play(is_a_thread, sender_good, &ms), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_no_sender),
                left_test(test_outside),
                left_test(test_thread),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
