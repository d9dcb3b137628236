/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/bytes.h"
#include "support/duo.h"
#include "support/left.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

/* The library's child where it waits with read(2) and write(2) alone: for as long as it should, on any socket, whatever interrupts it. */

#define TIMEOUT_MS 400
#define MOST_MS 6000            /* an endless wait from a long one, on a busy machine */

static void nothing(int number) {
        (void)number;
}

/* A signal each 20 ms, for good. */
static void interrupt_all_the_time(void) {
        struct itimerval every = { { 0, 20000 }, { 0, 20000 } };
        struct sigaction action = { .sa_handler = nothing };

        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &every, NULL);
}

static int fill(int socket) {
        static const char filler[] = BARE_HOOKS;
        int small = 4096;

        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
        while (send(socket, filler, sizeof(filler) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                ;
        return errno == EAGAIN;
}

static struct initsync_child *begin(int socket, uint64_t flags) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;

        options.flags = flags;
        options.timeout_ms = TIMEOUT_MS;
        if (initsync_child_new(&child, socket, &options, NULL) < 0 || initsync_child_ready(child, NULL) < 0 ||
            initsync_child_prepare_seccomp(child, NULL) < 0)
                return NULL;
        return child;
}

/* Runs @child against @script, to its end within MOST_MS. */
static void play(int (*child)(int socket, void *arg), const char *const *script) {
        int64_t start = duo_now();
        int ours, theirs, status, pid;

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        pid = duo_fork(child, theirs, NULL, NULL, 0);
        close(theirs);
        assert_int_equal(bare_play(ours, script), 0);
        while (waitpid(pid, &status, WNOHANG) == 0 && duo_now() - start < MOST_MS)
                usleep(1000);
        close(ours);
        if (duo_now() - start >= MOST_MS) {
                kill(pid, SIGKILL);
                waitpid(pid, &status, 0);
                fail_msg("it waits without end");
        }
        assert_int_equal(status, 0);
}

/* ---- a socket that is not to wait, by its flags ---- */

static int nonblocking(int socket, void *arg) {
        struct initsync_child *child;

        (void)arg;
        BARE_CHECK(fcntl(socket, F_SETFL, O_NONBLOCK) == 0);
        child = begin(socket, 0);
        BARE_CHECK(child);
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_nonblocking(void **state) {
        static const char *const script[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), "~100", BARE_SECCOMP_DONE,
                                              "<eof", NULL };

        (void)state;
        play(nonblocking, script);
}

/* The same without room in the parent's queue, in which what fills it was sent by somebody who has the socket, too. */
static int nonblocking_and_full(int socket, void *arg) {
        int64_t start;
        struct initsync_child *child;

        (void)arg;
        BARE_CHECK(fcntl(socket, F_SETFL, O_NONBLOCK) == 0);
        child = begin(socket, 0);
        BARE_CHECK(child);
        BARE_CHECK(fill(socket));
        start = duo_now();
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == -ETIMEDOUT);
        BARE_CHECK(duo_now() - start >= TIMEOUT_MS - 20);
        initsync_child_free(child);
        return 0;
}

/* ---- signals that come more often than the time is long ---- */

static int interrupted_reading(int socket, void *arg) {
        struct initsync_child *child = begin(socket, 0);
        int64_t start = duo_now();

        (void)arg;
        BARE_CHECK(child);
        interrupt_all_the_time();
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == -ETIMEDOUT);
        BARE_CHECK(duo_now() - start >= TIMEOUT_MS - 20);
        initsync_child_free(child);
        return 0;
}

static int interrupted_writing(int socket, void *arg) {
        struct initsync_child *child = begin(socket, 0);

        (void)arg;
        BARE_CHECK(child);
        BARE_CHECK(fill(socket));
        interrupt_all_the_time();
        BARE_CHECK(initsync_child_seccomp(child, 2, NULL) == -ETIMEDOUT);
        initsync_child_free(child);
        return 0;
}

static void test_interrupted(void **state) {
        static const char *const reading[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), "<eof", NULL };
        static const char *const writing[] = { "<" BARE_READY, BARE_RUN, NULL };

        (void)state;
        play(interrupted_reading, reading);
        play(interrupted_writing, writing);
        play(nonblocking_and_full, writing);
}

/* ---- an answer that is longer than any ---- */

static int too_long(int socket, void *arg) {
        struct initsync_child *child = begin(socket, 0);
        struct initsync_error error;

        (void)arg;
        BARE_CHECK(child);
        BARE_CHECK(initsync_child_seccomp(child, 2, &error) == -EMSGSIZE);
        BARE_CHECK(strstr(error.text, "more than 8192 bytes"));
        initsync_child_free(child);
        return 0;
}

static void test_too_long(void **state) {
        /* What is behind the limit is blank, so that a cut one would do. */
        char *spaces = bytes_repeat(" ", 8193), *answer = malloc(9000);
        const char *script[] = { "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("2"), answer, "<eof", NULL };

        (void)state;
        memcpy(answer, spaces, 8193);
        answer[8193] = '\0';
        memcpy(answer, BARE_SECCOMP_DONE, strlen(BARE_SECCOMP_DONE));
        play(too_long, script);
        free(answer);
        free(spaces);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_nonblocking),
                left_test(test_interrupted),
                left_test(test_too_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
