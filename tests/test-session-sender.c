/* SPDX-License-Identifier: MIT */

/*
 * The descriptor form of procSeccomp under a filter that denies sendmsg(2): another process sends, which must not outlive its
 * work, nor the child, nor keep the socket open for a child that is gone.
 */

#include "support/support.h"

#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "support/bare.h"
#include "support/deny.h"
#include "support/duo.h"
#include "support/filter.h"
#include "kernel/syscalls.h"
#include "support/left.h"

#define MESSAGE "<{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":2}"

static const char *const good[] = { "<" BARE_READY, BARE_RUN, MESSAGE, "<fd", BARE_SECCOMP_DONE, "<eof", NULL };

/* Up to where the filter is loaded. */
static struct initsync_child *begin(int socket) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;

        options.flags = INITSYNC_CHILD_SECCOMP_FD;
        options.timeout_ms = 5000;
        if (initsync_child_new(&child, socket, &options, NULL) < 0 || initsync_child_ready(child, NULL) < 0 ||
            initsync_child_prepare_seccomp(child, NULL) < 0)
                return NULL;
        return child;
}

static int nobody_left(void) {
        struct timespec moment = { 0, 1000000 };
        siginfo_t info;
        int i;

        for (i = 0; i < 1000; i++, nanosleep(&moment, NULL))
                if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG | __WALL) < 0 && errno == ECHILD)
                        return 1;
        return 0;
}

/* Runs @child against @script; its exit status, and how long that took. */
static int play(int (*child)(int socket, void *arg), const char *const *script, int64_t *ret_ms) {
        struct timespec before, after;
        int ours, theirs, status, pid;

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        pid = duo_fork(child, theirs, NULL, NULL, 0);
        close(theirs);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(bare_play(ours, script), 0);
        clock_gettime(CLOCK_MONOTONIC, &after);
        close(ours);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        *ret_ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
        return status;
}

/* ---- it sends, and is gone ---- */

static int sends(int socket, void *arg) {
        struct initsync_child *child = begin(socket);
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
        assert_int_equal(play(sends, good, &ms), 0);
}

/* ---- a child that gives up: the filter did not load ---- */

static int gives_up(int socket, void *arg) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct initsync_child *child = begin(socket);

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
        assert_int_equal(play(gives_up, script, &ms), 0);
}

/* ---- a child that its own filter kills: nobody but the sender could hold the socket open then ---- */

static int is_killed(int socket, void *arg) {
        static const int calls[] = { SYS_read, SYS_close, SYS_exit_group };
        struct initsync_child *child = begin(socket);

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
        status = play(is_killed, script, &ms);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        assert_in_range(ms, 0, 2000);
}

/* ---- a parent that takes no descriptors, since it was not told that one comes ---- */

static int is_refused(int socket, void *arg) {
        struct initsync_child *child = begin(socket);
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
        static const char *const script[] = { "<" BARE_READY, BARE_RUN, MESSAGE, "<...procError", "<eof", NULL };
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

static int sender_pid(void) {
        char text[32] = "";
        FILE *file = fopen("/proc/thread-self/children", "re");
        int n = file ? fscanf(file, "%31s", text) : 0;

        if (file)
                fclose(file);
        return n == 1 ? atoi(text) : 0;
}

static int wait_for_fds(int n) {
        int i;

        for (i = 0; i < 5000 && support_fd_count() != n; i++)
                usleep(1000);
        return support_fd_count() == n;
}

/* A number that is free again while the sender may still use it could be anybody's. */
static int is_slow(int socket, void *arg) {
        int fds = support_fd_count(), pid;
        struct initsync_child *child = begin(socket);
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
        assert_int_equal(play(is_slow, script, &ms), 0);
}

/* ---- a descriptor that cannot be sent: the parent, which expects it, hears why ---- */

static int has_none(int socket, void *arg) {
        struct initsync_child *child = begin(socket);
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

/* ---- where no process can be made, the child sends it itself ---- */

static int has_no_sender(int socket, void *arg) {
        struct sigaction ours = { .sa_handler = SIG_IGN }, theirs;
        struct initsync_child *child;

        (void)arg;
        deny_call(SYS_clone, EAGAIN);
        sigaction(SIGCHLD, &ours, NULL);
        child = begin(socket);
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
        assert_int_equal(play(has_no_sender, good, &ms), 0);
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
        child = begin(socket);
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
        assert_int_equal(play(is_outside, good, &ms), 0);
}

/* ---- what it was started from: a thread that is not the first sends by itself, and nothing is left as it was not ---- */

static void *sends_from_a_thread(void *arg) {
        struct initsync_child *child = begin(*(int *)arg);

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
        assert_int_equal(play(is_a_thread, good, &ms), 0);
}

/* ---- it has ended when the child goes on: what is executed then has no child that it does not know ---- */

#define HELD_MS 60

static int hold(int pid, int ready) {
        int status;

        if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) < 0)
                return write(ready, "n", 1) != 1;
        if (write(ready, "y", 1) != 1 || waitpid(pid, &status, __WALL) != pid || status >> 8 != (SIGTRAP | PTRACE_EVENT_EXIT << 8))
                return 1;
        usleep(HELD_MS * 1000);
        return ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0;
}

static int is_held(int socket, void *arg) {
        struct initsync_child *child = begin(socket);
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
        assert_int_equal(play(is_held, good, &ms), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_sends),
                left_test(test_gives_up),
                left_test(test_killed),
                left_test(test_refused),
                left_test(test_slow),
                left_test(test_told),
                left_test(test_no_sender),
                left_test(test_outside),
                left_test(test_thread),
                left_test(test_held),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
