/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/left.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include "relay.h"

/* The relay alone, between two sockets for the user and a terminal whose other end is ours. */
struct scene {
        struct relay relay;
        int user_in, user_out;          /* what he types into, what he sees */
        int input, output, master, slave;
};

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pair(int *ret_a, int *ret_b) {
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        *ret_a = ends[0];
        *ret_b = ends[1];
}

static void begin(struct scene *scene) {
        struct termios modes;
        int unlocked = 0;

        signal(SIGPIPE, SIG_IGN);
        pair(&scene->user_in, &scene->input);
        pair(&scene->user_out, &scene->output);
        scene->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(scene->master >= 0);
        assert_int_equal(ioctl(scene->master, TIOCSPTLCK, &unlocked), 0);
        scene->slave = ioctl(scene->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        assert_true(scene->slave >= 0);
        assert_int_equal(tcgetattr(scene->slave, &modes), 0);
        cfmakeraw(&modes);
        assert_int_equal(tcsetattr(scene->slave, TCSANOW, &modes), 0);
        relay_begin(&scene->relay, scene->input, scene->output, scene->master);
}

static void end(struct scene *scene) {
        const int fds[] = { scene->user_in, scene->user_out, scene->input, scene->output, scene->master, scene->slave };
        size_t i;

        relay_end(&scene->relay);
        for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
                if (fds[i] >= 0)
                        close(fds[i]);
}

/* One turn of the loop; how many descriptors were ready. */
static int turn(struct scene *scene, int timeout_ms) {
        struct pollfd waits[N_RELAY];
        int n;

        relay_poll(&scene->relay, true, waits);
        n = poll(waits, N_RELAY, timeout_ms);
        if (n > 0)
                relay_move(&scene->relay, waits);
        return n;
}

static void turns(struct scene *scene) {
        while (turn(scene, 50) > 0)
                continue;
}

static void test_both_ways(void **state) {
        struct scene scene;
        char got[16];

        (void)state;
        begin(&scene);
        assert_int_equal(write(scene.user_in, "typed", 5), 5);
        assert_int_equal(write(scene.slave, "shown\xff\n", 7), 7);
        turns(&scene);
        assert_int_equal(read(scene.slave, got, sizeof(got)), 5);
        assert_memory_equal(got, "typed", 5);
        assert_int_equal(read(scene.user_out, got, sizeof(got)), 7);
        assert_memory_equal(got, "shown\xff\n", 7);
        end(&scene);
}

/* Whatever one side writes, as much as the buffer holds is taken, and the other direction still works. */
static void test_full(void **state) {
        static char data[1 << 16];
        struct scene scene;
        size_t sent = 0, got = 0;
        char one;
        ssize_t n;

        (void)state;
        begin(&scene);
        /* A container that reads nothing. */
        fcntl(scene.user_in, F_SETFL, O_NONBLOCK);
        do {
                n = write(scene.user_in, data, sizeof(data));
                sent += n > 0 ? (size_t)n : 0;
                turns(&scene);
        } while (n > 0);
        assert_true(sent > 2 * RELAY_BUFFER);
        assert_int_equal(scene.relay.in.end - scene.relay.in.start, RELAY_BUFFER);
        assert_int_equal(write(scene.slave, "x", 1), 1);
        turns(&scene);
        assert_int_equal(read(scene.user_out, &one, 1), 1);
        /* Now it does, and nothing is lost. */
        while (got < sent) {
                n = read(scene.slave, data, sizeof(data));
                got += n > 0 ? (size_t)n : 0;
                assert_true(n > 0 || turn(&scene, 1000) > 0);
        }
        assert_int_equal(got, sent);
        end(&scene);
}

/* The container has the same master: it makes it a blocking one, and reads away what poll(2) has promised. */
static void test_blocking_master(void **state) {
        struct pollfd waits[N_RELAY];
        static char data[1 << 16];
        struct scene scene;
        int64_t began;

        (void)state;
        begin(&scene);
        fcntl(scene.master, F_SETFL, 0);
        memset(waits, 0, sizeof(waits));
        waits[RELAY_MASTER_OUT].revents = POLLIN;
        began = now_ms();
        relay_move(&scene.relay, waits);
        assert_in_range(now_ms() - began, 50, 1000);
        assert_false(scene.relay.out.ended);
        /* And writes into it until nothing more fits. */
        fcntl(scene.master, F_SETFL, O_NONBLOCK);
        while (write(scene.master, data, sizeof(data)) > 0)
                continue;
        fcntl(scene.master, F_SETFL, 0);
        scene.relay.in.end = RELAY_BUFFER;
        memset(waits, 0, sizeof(waits));
        waits[RELAY_MASTER_IN].revents = POLLOUT;
        began = now_ms();
        relay_move(&scene.relay, waits);
        assert_in_range(now_ms() - began, 50, 1000);
        assert_false(scene.relay.in.broken);
        end(&scene);
}

/* What cannot be shown any more is thrown away, so that the container goes on. */
static void test_no_output(void **state) {
        static char data[4096];
        struct scene scene;
        int i;

        (void)state;
        begin(&scene);
        close(scene.user_out);
        scene.user_out = -1;
        for (i = 0; i < 100; i++) {
                assert_int_equal(write(scene.slave, data, sizeof(data)), sizeof(data));
                turns(&scene);
        }
        assert_true(scene.relay.out.broken);
        assert_int_equal(relay_pending(&scene.relay), 0);
        end(&scene);
}

/* The user goes: what he typed is passed on first. */
static void test_hang_up(void **state) {
        struct scene scene;
        char got[8];

        (void)state;
        begin(&scene);
        assert_int_equal(write(scene.user_in, "last", 4), 4);
        close(scene.user_in);
        scene.user_in = -1;
        assert_true(turn(&scene, 1000) > 0);
        assert_false(relay_hung_up(&scene.relay));
        turns(&scene);
        assert_true(relay_hung_up(&scene.relay));
        assert_int_equal(read(scene.slave, got, sizeof(got)), 4);
        assert_int_equal(turn(&scene, 0), 0);           /* and does not spin */
        end(&scene);
}

static void test_no_spinning(void **state) {
        struct scene scene;

        (void)state;
        begin(&scene);
        close(scene.slave);
        scene.slave = -1;
        turns(&scene);          /* the master says EIO, once */
        assert_true(scene.relay.out.ended);
        assert_int_equal(turn(&scene, 0), 0);
        end(&scene);
}

/* After the end: what is typed is not passed on, and of what is shown no more than the terminal could hold before. */
static void test_last(void **state) {
        static char data[4096];
        struct pollfd waits[N_RELAY];
        struct scene scene;
        size_t got = 0;
        ssize_t size;
        int n;

        (void)state;
        begin(&scene);
        assert_int_equal(write(scene.user_in, "typed", 5), 5);
        turn(&scene, 0);
        relay_last(&scene.relay);
        fcntl(scene.user_out, F_SETFL, O_NONBLOCK);
        do {
                if (write(scene.slave, data, sizeof(data)) < 0)
                        assert_int_equal(errno, EAGAIN);
                relay_poll(&scene.relay, false, waits);
                n = poll(waits, N_RELAY, 0);
                if (n > 0)
                        relay_move(&scene.relay, waits);
                while ((size = read(scene.user_out, data, sizeof(data))) > 0)
                        got += (size_t)size;
        } while (n > 0);
        assert_int_equal(got, RELAY_LAST);
        assert_true(read(scene.slave, data, sizeof(data)) < 0);
        assert_int_equal(errno, EAGAIN);
        end(&scene);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_both_ways), left_test(test_full), left_test(test_blocking_master), left_test(test_no_output),
                left_test(test_hang_up), left_test(test_no_spinning), left_test(test_last),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
