/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"

#include <sys/wait.h>

/* Conversations that go well, in all their forms. */

#define WITH_HOOKS 1
#define WITH_SECCOMP 2
#define WITH_EXEC 4
#define WITH_FD 8               /* the listener goes as a descriptor */

static char child_trace[256];

static void note(const struct initsync_trace_event *event, void *userdata) {
        size_t n = strlen(child_trace);

        assert(userdata == child_trace && event->time_ns);
        snprintf(child_trace + n, sizeof(child_trace) - n, "%c%s ", event->outgoing ? '<' : '>', event->type);
}

static int hand_over(struct initsync_child *child) {
        int listener;

        BARE_CHECK(initsync_child_prepare_seccomp(child, NULL) == 0);
        listener = filter_listener();
        BARE_CHECK(listener >= 0);
        BARE_CHECK(initsync_child_seccomp(child, listener, NULL) == 0);
        return 0;
}

static int honest(int socket, void *arg) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int with = *(int *)arg;

        options.trace = note;
        options.userdata = child_trace;
        options.flags = with & WITH_FD ? INITSYNC_CHILD_SECCOMP_FD : 0;
        BARE_CHECK(initsync_child_new(&child, socket, &options, &error) == 0);
        if (with & WITH_HOOKS)
                BARE_CHECK(initsync_child_hooks(child, &error) == 0);
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        BARE_CHECK(strcmp(child_trace, with & WITH_HOOKS ? "<procHooks >procHooksDone <procReady >procRun "
                                                         : "<procReady >procRun ") == 0);
        if (with & WITH_SECCOMP && hand_over(child))
                return 1;
        if (with & WITH_EXEC)
                execl("/bin/true", "true", NULL);
        initsync_child_free(child);
        return 0;
}

static const char *expected_trace(int with) {
        static char text[160];

        snprintf(text, sizeof(text), "%s> procReady, < procRun%s",
                 with & WITH_HOOKS ? "> procHooks, < procHooksDone, " : "",
                 with & WITH_SECCOMP ? ", > procSeccomp, < procSeccompDone" : "");
        return text;
}

static void check_times(const struct duo *duo) {
        size_t i;

        for (i = 1; i < duo->n_events; i++)
                assert_true(duo->events[i].time_ns >= duo->events[i - 1].time_ns);
        assert_true(duo->events[0].time_ns / 1000000 >= (uint64_t)(duo_now() - 30000));
        assert_true(duo->events[duo->n_events - 1].time_ns / 1000000 <= (uint64_t)duo_now());
}

static int must_be_listener(struct duo *duo, int fd) {
        char path[64], name[64] = "";

        (void)duo;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return fd >= 3 && readlink(path, name, sizeof(name) - 1) > 0 && strcmp(name, "anon_inode:seccomp notify") == 0 &&
               fcntl(fd, F_GETFD) & FD_CLOEXEC ? 0 : -1;
}

/* By run() or by a loop of the embedder's own, with each callback there or not. */
static void one(int with, int own_loop, int has_ready) {
        struct duo duo;

        duo_init(&duo);
        duo.on_seccomp = must_be_listener;
        if (!has_ready)
                duo.options.ready = NULL;
        if (with & WITH_FD)
                duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
        duo_start(&duo, honest, &with);
        if (own_loop)
                duo_loop(&duo);
        else
                duo_run(&duo);
        duo_good(&duo);
        assert_int_equal(duo.calls[DUO_HOOKS], with & WITH_HOOKS ? 1 : 0);
        assert_int_equal(duo.calls[DUO_READY], has_ready);
        assert_int_equal(duo.calls[DUO_SECCOMP], with & WITH_SECCOMP ? 1 : 0);
        assert_int_equal(duo.calls[DUO_KILL], 0);
        assert_string_equal(duo_trace(&duo), expected_trace(with));
        check_times(&duo);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

static void test_every_combination(void **state) {
        int with, own_loop, has_ready;

        (void)state;
        for (with = 0; with < 16; with++)
                for (own_loop = 0; own_loop < 2; own_loop++)
                        for (has_ready = 0; has_ready < 2; has_ready++)
                                if (!(with & WITH_FD) || with & WITH_SECCOMP)
                                        one(with, own_loop, has_ready);
}

static void test_trace_tells_arguments(void **state) {
        int with = WITH_SECCOMP | WITH_FD;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
        duo_start(&duo, honest, &with);
        duo_run(&duo);
        duo_good(&duo);
        assert_string_equal(duo.events[0].arg, "");
        assert_false(duo.events[0].has_fd);
        assert_true(atoi(duo.events[2].arg) >= 3);
        assert_true(duo.events[2].has_fd);
        duo_end(&duo);
}

static int exec_fails(int socket, void *arg) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct initsync_child *child = NULL;

        (void)arg;
        BARE_CHECK(initsync_child_new(&child, socket, NULL, NULL) == 0);
        BARE_CHECK(initsync_child_ready(child, NULL) == 0);
        execl("/nonexistent/program", "program", NULL);
        error.code = -errno;
        snprintf(error.text, sizeof(error.text), "exec /nonexistent/program: there is none");
        BARE_CHECK(initsync_child_fail(child, &error) == 0);
        initsync_child_free(child);
        return 3;
}

/* The socket is close-on-exec, so that a failure of exec still reaches the parent. */
static void test_exec_fails(void **state) {
        struct duo duo;
        int status = -1;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, exec_fails, NULL);
        assert_int_equal(initsync_parent_child_status(duo.parent, &status), 0);
        assert_int_equal(status, -1);
        duo_run(&duo);
        duo_failed(&duo, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_RUN,
                   "child: exec /nonexistent/program: there is none");
        assert_int_equal(WEXITSTATUS(duo.error.status), 3);
        assert_int_equal(initsync_parent_child_status(duo.parent, &status), 1);
        assert_int_equal(WEXITSTATUS(status), 3);
        assert_int_equal(initsync_parent_child_status(duo.parent, &status), 1);       /* it is not reaped by that */
        duo_end(&duo);
        assert_int_equal(WEXITSTATUS(duo.status), 3);
}

/* It ends well before it was looked at, too: death after end-of-file is no failure. */
static void test_dead_when_we_come(void **state) {
        int with = WITH_HOOKS, status = -1, i;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, honest, &with);
        for (i = 0; i < 2000 && duo.n_events < 4; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        while (!initsync_parent_child_status(duo.parent, &status))
                usleep(1000);
        assert_int_equal(status, 0);
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
}

static int ready_first(int socket, void *arg) {
        static const char *const script[] = { BARE_READY, "<...procHooks before it", "<eof", NULL };

        (void)arg;
        return bare_child(socket, (void *)script);
}

static void test_expect_hooks(void **state) {
        int with = WITH_HOOKS;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_EXPECT_HOOKS | INITSYNC_PARENT_NO_KILL;
        duo_start(&duo, ready_first, NULL);
        duo_run(&duo);
        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_MOUNTS,
                   "procReady out of order: expected procHooks before it");
        assert_int_equal(duo.calls[DUO_READY], 0);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);

        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_EXPECT_HOOKS;
        duo_start(&duo, honest, &with);
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_every_combination),
                left_test(test_trace_tells_arguments),
                left_test(test_exec_fails),
                left_test(test_dead_when_we_come),
                left_test(test_expect_hooks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
