/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include "base/attr.h"
#include "support/bytes.h"
#include "support/socket.h"
#include "wire/channel.h"

#define MOUNT_FD "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}"
#define RUN "{\"type\":\"procRun\",\"flags\":0}"
#define ERROR(text) "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"" text "\"}}"
#define POISON (-77)
#define LONG_MS 20000           /* never reached */

struct ends {
        struct channel channel;
        struct message message;
        struct initsync_error error;
        int theirs, file, fd, before;
};

static int open_ends(void **state) {
        struct ends *ends = calloc(1, sizeof(*ends));
        int pair[2];

        assert(ends);
        socket_pair(pair);
        ends->channel.socket = pair[0];
        ends->theirs = pair[1];
        ends->file = socket_file();
        ends->before = support_fd_count();
        *state = ends;
        return 0;
}

static int close_ends(void **state) {
        struct ends *ends = *state;
        int left = support_fd_count(), expected = ends->before - (ends->theirs < 0);

        close(ends->channel.socket);
        if (ends->theirs >= 0)
                close(ends->theirs);
        close(ends->file);
        free(ends);
        return left == expected ? 0 : -1;
}

static void hang_up(struct ends *ends) {
        close(ends->theirs);
        ends->theirs = -1;
}

/* On failure nothing but the error is written. */
static int receive(struct ends *ends, int timeout_ms) {
        int r;

        ends->fd = POISON;
        memset(&ends->message, 0xab, sizeof(ends->message));
        memset(&ends->error, 0xab, sizeof(ends->error));
        r = channel_receive(&ends->channel, timeout_ms, &ends->message, &ends->fd, &ends->error);
        if (r < 0) {
                assert_int_equal(ends->fd, POISON);
                assert_int_equal((int)ends->message.type, (int)0xabababab);
                assert_int_equal(ends->error.code, r);
                assert_true(ends->error.text[0] != '\0');
        }
        return r;
}

static uint64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_two_packets(void **state) {
        struct ends *ends = *state;

        socket_send_text(ends->theirs, MOUNT_FD);
        socket_send(ends->theirs, "/srv/data", 9, ends->file, 1);
        assert_int_equal(receive(ends, LONG_MS), 0);
        assert_int_equal(ends->message.type, MESSAGE_MOUNT_FD);
        assert_int_equal(ends->message.plain_open, 0);
        assert_true(ends->fd >= 3);
        assert_string_equal(ends->channel.name, "/srv/data");
        assert_int_equal(ends->channel.n_name, 9);
        assert_int_equal(ends->channel.n_kept, strlen(MOUNT_FD));
        assert_memory_equal(ends->channel.kept, MOUNT_FD, strlen(MOUNT_FD));
        close(ends->fd);
        socket_send_text(ends->theirs, RUN);
        assert_int_equal(receive(ends, LONG_MS), 0);
        assert_int_equal(ends->message.type, MESSAGE_RUN);
        assert_int_equal(ends->fd, -1);
}

static void test_second_packet_is_wrong(void **state) {
        static const struct {
                const char *name;
                size_t n, n_fds;
                int r;
                const char *text;
        } cases[] = {
                { "/srv/data", 9, 0, -EPROTO, "its second packet has no descriptor, exactly one is expected" },
                { RUN, sizeof(RUN) - 1, 0, -EPROTO, "its second packet has no descriptor" },
                { "{", 1, 0, -EPROTO, "its second packet has no descriptor" },
                { "/srv/data", 9, 2, -EPROTO, "several descriptors" },
                { "/srv/data", 9, SOCKET_FDS_MAX, -EPROTO, "several descriptors" },
                { "", 0, 0, -EPROTO, "an empty packet" },
                { "", 0, 1, -EPROTO, "an empty packet" },
        };
        struct ends *ends = *state;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                socket_send_text(ends->theirs, MOUNT_FD);
                socket_send(ends->theirs, cases[i].name, cases[i].n, ends->file, cases[i].n_fds);
                assert_int_equal(receive(ends, LONG_MS), cases[i].r);
                bytes_contain(ends->error.text, cases[i].text);
                assert_int_equal(ends->error.stage, INITSYNC_STAGE_WIRE);
                assert_int_equal(support_fd_count(), ends->before);
        }
}

static void test_longest_name(void **state) {
        struct ends *ends = *state;
        char *name = bytes_repeat("n", LIMIT_PATH + 2);

        socket_send_text(ends->theirs, MOUNT_FD);
        socket_send(ends->theirs, name, LIMIT_PATH, ends->file, 1);
        assert_int_equal(receive(ends, LONG_MS), 0);
        assert_int_equal(ends->channel.n_name, LIMIT_PATH);
        close(ends->fd);
        socket_send_text(ends->theirs, MOUNT_FD);
        socket_send(ends->theirs, name, LIMIT_PATH + 2, ends->file, 1);
        assert_int_equal(receive(ends, LONG_MS), -EMSGSIZE);
        free(name);
}

static void test_descriptor_with_the_message(void **state) {
        struct ends *ends = *state;

        socket_send(ends->theirs, RUN, strlen(RUN), ends->file, 1);
        assert_int_equal(receive(ends, LONG_MS), -EPROTO);
        bytes_contain(ends->error.text, "a descriptor in its own packet");
        socket_send(ends->theirs, MOUNT_FD, strlen(MOUNT_FD), ends->file, 1);
        assert_int_equal(receive(ends, LONG_MS), -EPROTO);
}

static void test_error_instead(void **state) {
        struct ends *ends = *state;

        socket_send_text(ends->theirs, MOUNT_FD);
        socket_send_text(ends->theirs, ERROR("no \\u003cspace\\u003e left"));
        assert_int_equal(receive(ends, LONG_MS), 0);
        assert_int_equal(ends->message.type, MESSAGE_ERROR);
        assert_string_equal(ends->message.text.data, "no <space> left");
        assert_int_equal(ends->fd, -1);
        assert_int_equal(ends->channel.n_kept, strlen(ERROR("no \\u003cspace\\u003e left")));
}

/* A procError that brings a descriptor is none. */
static void test_error_instead_with_descriptor(void **state) {
        struct ends *ends = *state;

        socket_send_text(ends->theirs, MOUNT_FD);
        socket_send(ends->theirs, ERROR("x"), strlen(ERROR("x")), ends->file, 1);
        assert_int_equal(receive(ends, LONG_MS), 0);
        assert_int_equal(ends->message.type, MESSAGE_MOUNT_FD); /* its name is the caller's to compare */
        assert_string_equal(ends->channel.name, ERROR("x"));
        close(ends->fd);
}

static void test_bad_message(void **state) {
        struct ends *ends = *state;
        char *large = calloc(1, LIMIT_ANSWER + 1);

        socket_send_text(ends->theirs, "{\"type\":\"procRun\"}");
        assert_int_equal(receive(ends, LONG_MS), -EPROTO);
        bytes_contain(ends->error.text, "procRun: flags: expected");
        socket_send(ends->theirs, large, LIMIT_ANSWER + 1, -1, 0);
        assert_int_equal(receive(ends, LONG_MS), -EMSGSIZE);
        socket_send(ends->theirs, "", 0, -1, 0);
        assert_int_equal(receive(ends, LONG_MS), -EPROTO);
        bytes_contain(ends->error.text, "the parent sent an empty packet");
        free(large);
}

static void test_closed(void **state) {
        struct ends *ends = *state;

        assert_int_equal(channel_send(&ends->channel, "unread", 6, -1, LONG_MS), 0);
        socket_send_text(ends->theirs, ERROR("why"));
        socket_send_text(ends->theirs, MOUNT_FD);
        hang_up(ends);
        assert_int_equal(receive(ends, LONG_MS), 0);
        assert_string_equal(ends->message.text.data, "why");
        assert_int_equal(receive(ends, LONG_MS), -ECONNRESET);  /* between the two packets */
        assert_int_equal(ends->error.stage, INITSYNC_STAGE_PEER);
        assert_int_equal(receive(ends, LONG_MS), -ECONNRESET);
        assert_int_equal(channel_send(&ends->channel, "x", 1, -1, LONG_MS), -ECONNRESET);
}

static void test_no_room(void **state) {
        struct ends *ends = *state;
        struct rlimit old, none;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
        socket_send_text(ends->theirs, MOUNT_FD);
        socket_send(ends->theirs, "/srv/data", 9, ends->file, 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        ends->fd = channel_receive(&ends->channel, LONG_MS, &ends->message, &ends->theirs, &ends->error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
        assert_int_equal(ends->fd, -EMFILE);
        bytes_contain(ends->error.text, "RLIMIT_NOFILE");
}

static void on_alarm(int signal) {
        (void)signal;
}

/* Interrupted waits do not start anew: signals come faster than the deadline. */
static void test_deadlines(void **state) {
        static const struct itimerval often = { { 0, 7000 }, { 0, 7000 } }, never;
        struct ends *ends = *state;
        struct sigaction action = { .sa_handler = on_alarm };
        uint64_t start;
        int round;

        sigaction(SIGALRM, &action, NULL);
        for (round = 0; round < 2; round++) {
                start = now_ms();
                assert_int_equal(receive(ends, 60), -ETIMEDOUT);
                assert_in_range(now_ms() - start, 59, 5000);
                bytes_contain(ends->error.text, "did not answer in time");
                assert_int_equal(ends->error.stage, INITSYNC_STAGE_PEER);
                socket_send_text(ends->theirs, MOUNT_FD);
                start = now_ms();
                assert_int_equal(receive(ends, 60), -ETIMEDOUT);
                assert_in_range(now_ms() - start, 59, 5000);
                setitimer(ITIMER_REAL, &often, NULL);
        }
        socket_fill(ends->channel.socket);
        start = now_ms();
        assert_int_equal(channel_send(&ends->channel, "x", 1, -1, 60), -ETIMEDOUT);
        assert_in_range(now_ms() - start, 59, 5000);
        setitimer(ITIMER_REAL, &never, NULL);
}

/* A message that comes late leaves its descriptor packet what is left of the time, not all of it again. */
static void test_one_deadline_for_both(void **state) {
        struct ends *ends = *state;
        uint64_t start = now_ms();
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                usleep(300000);
                socket_send_text(ends->theirs, MOUNT_FD);
                _exit(0);
        }
        assert_int_equal(receive(ends, 400), -ETIMEDOUT);
        assert_in_range(now_ms() - start, 399, 600);
        assert_int_equal(ends->channel.n_kept, strlen(MOUNT_FD));
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_ends, close_ends)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_two_packets),
                TEST(test_second_packet_is_wrong),
                TEST(test_longest_name),
                TEST(test_descriptor_with_the_message),
                TEST(test_error_instead),
                TEST(test_error_instead_with_descriptor),
                TEST(test_bad_message),
                TEST(test_closed),
                TEST(test_no_room),
                TEST(test_deadlines),
                TEST(test_one_deadline_for_both),
        };

        return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
