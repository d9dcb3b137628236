/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include "base/attr.h"
#include "kernel/syscalls.h"
#include "support/bytes.h"
#include "support/socket.h"
#include "wire/limits.h"
#include "wire/packet.h"

#define POISON (-77)

struct ends {
        int ours, theirs, file, before;
};

static int open_ends(void **state) {
        static struct ends ends;
        int pair[2];

        socket_pair(pair);
        ends = (struct ends){ .ours = pair[0], .theirs = pair[1], .file = socket_file() };
        ends.before = support_fd_count();
        *state = &ends;
        return 0;
}

static void drop(int *fd) {
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

/* Whatever came: no descriptor is left behind. */
static int close_ends(void **state) {
        struct ends *ends = *state;
        int closed = (ends->ours < 0) + (ends->theirs < 0) + (ends->file < 0);
        int left = support_fd_count();

        drop(&ends->ours);
        drop(&ends->theirs);
        drop(&ends->file);
        if (left != ends->before - closed)
                fprintf(stderr, "# %d descriptors instead of %d\n", left, ends->before - closed);
        return left == ends->before - closed ? 0 : -1;
}

static int receive(struct ends *ends, void *data, size_t size, const char **why) {
        *why = "";
        return packet_receive(ends->ours, data, size, why);
}

static int receive_fd(struct ends *ends, void *data, size_t size, int *fd, const char **why) {
        *why = "";
        *fd = POISON;
        return packet_receive_fd(ends->ours, data, size, fd, why);
}

static void test_check_socket(void **state) {
        struct ends *ends = *state;
        int stream[2], datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
        assert_int_equal(packet_check_socket(ends->ours), 0);
        assert_int_equal(packet_check_socket(stream[0]), -EPROTOTYPE);
        assert_int_equal(packet_check_socket(datagram), -EPROTOTYPE);
        assert_int_equal(packet_check_socket(ends->file), -ENOTSOCK);
        assert_int_equal(packet_check_socket(-1), -EBADF);
        assert_int_equal(packet_check_socket(1000000), -EBADF);
        close(stream[0]);
        close(stream[1]);
        close(datagram);
}

static void test_send(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        int fd;

        assert_int_equal(packet_send(ends->theirs, "", 0, -1), -EINVAL);
        assert_int_equal(receive(ends, data, 8, &why), -EAGAIN);
        assert_int_equal(packet_send(ends->theirs, "abc\0d", 5, -1), 0);
        assert_int_equal(packet_send(ends->theirs, "x", 1, ends->file), 0);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), 5);
        assert_memory_equal(data, "abc\0d", 5);
        assert_int_equal(fd, -1);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), 1);
        assert_true(fd >= 3);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
        assert_int_equal(packet_send(ends->theirs, "x", 1, 1000000), -EBADF);
        assert_int_equal(packet_send(ends->file, "x", 1, -1), -ENOTSOCK);
}

/* Both make recv() return 0. */
static void test_empty_is_not_closed(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        int fd;

        socket_send(ends->theirs, "", 0, -1, 0);
        assert_int_equal(receive(ends, data, 8, &why), -EPROTO);
        assert_string_equal(why, "an empty packet");
        socket_send(ends->theirs, "", 0, -1, 0);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), -EPROTO);
        assert_string_equal(why, "an empty packet");
        assert_int_equal(fd, POISON);
        socket_send(ends->theirs, "", 0, ends->file, 1);
        assert_int_equal(receive(ends, data, 8, &why), -EPROTO);
        assert_string_equal(why, "a packet with a descriptor");
        socket_send(ends->theirs, "", 0, ends->file, 1);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), -EPROTO);
        socket_send(ends->theirs, "", 0, ends->file, 3);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), -EPROTO);
        assert_int_equal(receive(ends, data, 8, &why), -EAGAIN);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), -EAGAIN);
        drop(&ends->theirs);
        assert_int_equal(receive(ends, data, 8, &why), PACKET_CLOSED);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), PACKET_CLOSED);
        assert_int_equal(receive(ends, data, 8, &why), PACKET_CLOSED);
}

/* An empty packet with a descriptor must not pass for the end either, when the other side has left already. */
static void test_empty_with_descriptor_then_closed(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        int fd;

        socket_send(ends->theirs, "", 0, ends->file, 1);
        socket_send(ends->theirs, "", 0, ends->file, 1);
        drop(&ends->theirs);
        assert_int_equal(receive(ends, data, 8, &why), -EPROTO);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), -EPROTO);
        assert_int_equal(fd, POISON);
}

static void test_half_closed(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;

        socket_send(ends->theirs, "last", 4, -1, 0);
        assert_int_equal(shutdown(ends->theirs, SHUT_WR), 0);
        assert_int_equal(receive(ends, data, 8, &why), 4);
        assert_int_equal(receive(ends, data, 8, &why), PACKET_CLOSED);
        assert_int_equal(packet_send(ends->ours, "x", 1, -1), 0);
}

/* None of them reaches the table, however many there are: counted after each packet. */
static void test_no_descriptor_gets_in(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        size_t n, round;

        for (n = 1; n <= SOCKET_FDS_MAX; n++) {
                socket_send(ends->theirs, "x", 1, ends->file, n);
                assert_int_equal(receive(ends, data, 8, &why), -EPROTO);
                assert_string_equal(why, "a packet with a descriptor");
                if (n < 10 || n % 50 == 3)
                        assert_int_equal(support_fd_count(), ends->before);
        }
        for (round = 0; round < 1000; round++) {
                socket_send(ends->theirs, "{}", 2, ends->file, SOCKET_FDS_MAX);
                assert_int_equal(receive(ends, data, 8, &why), -EPROTO);
        }
        assert_int_equal(support_fd_count(), ends->before);
        /* Its own end of the socket: a cycle that only the kernel could break. */
        socket_send(ends->theirs, "x", 1, ends->theirs, 2);
        assert_int_equal(receive(ends, data, 8, &why), -EPROTO);
}

static void test_exactly_one_descriptor(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        size_t n;
        int fd;

        socket_send(ends->theirs, "x", 1, ends->file, 1);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), 1);
        assert_true(fd >= 3);
        close(fd);
        /* Two fit in the space for one on 64 bit, and no flag says so. */
        for (n = 2; n <= SOCKET_FDS_MAX; n++) {
                socket_send(ends->theirs, "x", 1, ends->file, n);
                assert_int_equal(receive_fd(ends, data, 8, &fd, &why), -EPROTO);
                assert_string_equal(why, "a packet with several descriptors");
                assert_int_equal(fd, POISON);
                if (n < 10 || n % 50 == 3)
                        assert_int_equal(support_fd_count(), ends->before);
        }
}

/* Below 3 lies what the embedder closed, and what its child will dup2() over. */
static void test_above_stdio(void **state) {
        struct ends *ends = *state;
        int saved = fcntl(0, F_DUPFD_CLOEXEC, 100), fd;
        char data[8];
        const char *why;

        close(0);
        socket_send(ends->theirs, "x", 1, ends->file, 1);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), 1);
        assert_int_equal(fcntl(0, F_GETFD), -1);
        if (saved >= 0) {
                assert_int_equal(dup2(saved, 0), 0);
                close(saved);
        }
        assert_true(fd >= 3);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
}

/* A full table: the data arrives without its descriptor. From no room at all up to room for all. */
static void test_table_full(void **state) {
        struct ends *ends = *state;
        struct rlimit old, limit;
        char data[8];
        const char *why;
        int fd, next, room, n;

        next = fcntl(ends->file, F_DUPFD_CLOEXEC, 0);   /* the lowest that is free, and all above are */
        close(next);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
        for (room = 0; room <= 5; room++) {
                for (n = 1; n <= 4; n++) {
                        int expected = n > room ? -EMFILE : n > 1 ? -EPROTO : 1, r;

                        socket_send(ends->theirs, "x", 1, ends->file, (size_t)n);
                        limit = (struct rlimit){ .rlim_cur = (rlim_t)(next + room), .rlim_max = old.rlim_max };
                        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
                        r = receive_fd(ends, data, 8, &fd, &why);
                        assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
                        assert_int_equal(r, expected);
                        if (r == 1)
                                close(fd);
                        else
                                assert_int_equal(fd, POISON);
                        assert_int_equal(support_fd_count(), ends->before);
                }
        }
}

/* A pidfd of the sender, which the kernel puts beside every packet when somebody has asked for it, is not left open. */
static void test_pidfd(void **state) {
        struct ends *ends = *state;
        const char *why = NULL;
        int on = 1, fd = POISON;
        char data[16];

        if (setsockopt(ends->theirs, SOL_SOCKET, SYS_SO_PASSPIDFD, &on, sizeof(on)) < 0)
                return;         /* Linux 6.5: an older one sends none either */
        assert_int_equal(packet_send(ends->ours, "x", 1, ends->file), 0);
        assert_int_equal(packet_receive_fd(ends->theirs, data, sizeof(data), &fd, &why), 1);
        assert_int_equal(support_fd_count(), ends->before + 1);
        drop(&fd);
        packet_only_rights(ends->theirs);
        assert_int_equal(packet_send(ends->ours, "x", 1, -1), 0);
        assert_int_equal(packet_receive(ends->theirs, data, sizeof(data), &why), 1);
}

static void test_size(void **state) {
        struct ends *ends = *state;
        static const size_t sizes[] = { 1, 2, LIMIT_PATH, LIMIT_ANSWER, LIMIT_REQUEST };
        char *bytes = calloc(1, LIMIT_REQUEST + 1);
        const char *why;
        size_t i;
        int fd;

        for (i = 0; i < ARRAY_SIZE(sizes); i++) {
                char *exact = malloc(sizes[i]);

                socket_send(ends->theirs, bytes, sizes[i], -1, 0);
                assert_int_equal(receive(ends, exact, sizes[i], &why), sizes[i]);
                socket_send(ends->theirs, bytes, sizes[i] + 1, -1, 0);
                assert_int_equal(receive(ends, exact, sizes[i], &why), -EMSGSIZE);
                socket_send(ends->theirs, bytes, sizes[i], -1, 0);
                assert_int_equal(receive_fd(ends, exact, sizes[i], &fd, &why), sizes[i]);
                socket_send(ends->theirs, bytes, sizes[i] + 1, ends->file, 1);
                assert_int_equal(receive_fd(ends, exact, sizes[i], &fd, &why), -EMSGSIZE);
                assert_int_equal(support_fd_count(), ends->before);
                free(exact);
        }
        assert_int_equal(receive(ends, bytes, 8, &why), -EAGAIN);
        free(bytes);
}

/* The other side closed with packets of ours unread: its last words come all the same. */
static void test_reset(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        int fd;

        assert_int_equal(packet_send(ends->ours, "unread", 6, -1), 0);
        socket_send(ends->theirs, "one", 3, -1, 0);
        socket_send(ends->theirs, "two", 3, ends->file, 1);
        drop(&ends->theirs);
        assert_int_equal(receive(ends, data, 8, &why), 3);
        assert_memory_equal(data, "one", 3);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), 3);
        assert_memory_equal(data, "two", 3);
        assert_true(fd >= 3);
        close(fd);
        assert_int_equal(receive(ends, data, 8, &why), PACKET_CLOSED);
}

static void test_reset_with_descriptor_first(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        int fd;

        assert_int_equal(packet_send(ends->ours, "unread", 6, -1), 0);
        socket_send(ends->theirs, "one", 3, ends->file, 1);
        drop(&ends->theirs);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), 3);
        assert_true(fd >= 3);           /* the control buffer is there for the second try, too */
        close(fd);
        assert_int_equal(receive_fd(ends, data, 8, &fd, &why), PACKET_CLOSED);
}

/* SIGPIPE would end this process; Linux raises it for streams only, so far. */
static void test_gone(void **state) {
        struct ends *ends = *state;
        int r;

        drop(&ends->theirs);
        r = packet_send(ends->ours, "x", 1, -1);
        assert_true(r == -EPIPE || r == -ECONNRESET);
        r = packet_send(ends->ours, "x", 1, ends->file);
        assert_true(r == -EPIPE || r == -ECONNRESET);
}

static void test_full(void **state) {
        struct ends *ends = *state;
        char data[8];
        const char *why;
        size_t n = 0;
        int r;

        while ((r = packet_send(ends->ours, "x", 1, -1)) == 0)
                n++;
        assert_int_equal(r, -EAGAIN);
        assert_true(n > 50);
        assert_int_equal(packet_send(ends->ours, "x", 1, ends->file), -EAGAIN);
        assert_int_equal(packet_receive(ends->theirs, data, 8, &why), 1);
        while (packet_receive(ends->theirs, data, 8, &why) == 1)
                ;
        assert_int_equal(packet_send(ends->ours, "x", 1, -1), 0);
        assert_int_equal(packet_receive(ends->theirs, data, 8, &why), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_ends, close_ends)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_check_socket),
                TEST(test_send),
                TEST(test_empty_is_not_closed),
                TEST(test_empty_with_descriptor_then_closed),
                TEST(test_half_closed),
                TEST(test_no_descriptor_gets_in),
                TEST(test_exactly_one_descriptor),
                TEST(test_above_stdio),
                TEST(test_table_full),
                TEST(test_pidfd),
                TEST(test_size),
                TEST(test_reset),
                TEST(test_reset_with_descriptor_first),
                TEST(test_gone),
                TEST(test_full),
        };

        return cmocka_run_group_tests_name("packet", tests, NULL, NULL);
}
