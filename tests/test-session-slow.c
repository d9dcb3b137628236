/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/place.h"
#include "support/slowfs.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Mount requests that take long, or whose answer is never taken: the deadline is that of the one request that is late. */

#define PLACE "/tmp/slow"       /* where a slow file system is mounted; a tmpfs of the test's own lies on /tmp */
#define QUICK "/tmp/quick"
#define TIMEOUT_MS 400
#define LATE_MS 250             /* where nothing but lateness is looked at */
#define SLOW_MS 250             /* twice that is more than TIMEOUT_MS */

static int may_mount, may_fuse;

static struct initsync_mount bind_of(const char *source) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = source;
        mount.flags = INITSYNC_MOUNT_CHILD_VIEW;        /* so that the slow server is asked once only */
        return mount;
}

static int asks_for_two(int socket, void *arg) {
        struct initsync_mount mounts[2] = { bind_of(PLACE "/a"), bind_of(PLACE "/b") };
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fds[2];

        /* The parent's timer is set for a first message, too: when it fires for that, the first mount is still to come. */
        usleep(*(useconds_t *)arg * 1000);
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == 0);
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void slowly(int traced) {
        struct initsync_mount mounts[2] = { bind_of(PLACE "/a"), bind_of(PLACE "/b") };
        int server = slowfs_start(PLACE, SLOW_MS);
        useconds_t wait_ms = traced ? 0 : TIMEOUT_MS / 2;
        struct duo duo;

        duo_init(&duo);
        duo.options.mounts = mounts;
        duo.options.n_mounts = 2;
        duo.options.timeout_ms = TIMEOUT_MS;
        if (!traced)
                duo.options.trace = NULL;       /* nobody then tells of an answer while there is room for more orders */
        duo_start(&duo, asks_for_two, &wait_ms);
        duo_run(&duo);
        duo_good(&duo);
        assert_true(duo.took_ms >= 2 * SLOW_MS);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
        slowfs_stop(server, PLACE);
}

static void test_each_in_time(void **state) {
        (void)state;
        if (!may_fuse)
                skip();
        slowly(0);
        slowly(1);
}

/* It is one too many all the same when it alone is late. */
static void test_the_second_is_late(void **state) {
        static const char *const script[] = { BARE_MOUNT(QUICK), BARE_MOUNT(PLACE "/a"), "<" BARE_MOUNT_FD, "<fd",
                                              "<...procError", "<eof", NULL };
        struct initsync_mount mounts[2] = { bind_of(QUICK), bind_of(PLACE "/a") };
        struct duo duo;
        int server;

        (void)state;
        if (!may_fuse)
                skip();
        server = slowfs_start(PLACE, SLOWFS_NEVER);
        duo_init(&duo);
        duo.options.mounts = mounts;
        duo.options.n_mounts = 2;
        duo.options.timeout_ms = TIMEOUT_MS;
        duo.options.trace = NULL;
        duo_start(&duo, bare_child, (void *)script);
        duo_run(&duo);
        duo_failed(&duo, -ETIMEDOUT, INITSYNC_STAGE_MOUNT, INITSYNC_STEP_MOUNTS, "mount request 1: " PLACE "/a");
        assert_true(duo.error.request == 1 && duo.error.mount == 1);
        assert_true(duo.took_ms >= TIMEOUT_MS && duo.took_ms < 2 * TIMEOUT_MS);
        slowfs_stop(server, PLACE);
        duo_end(&duo);
}

/* ---- the child's queue takes the first packet of an answer, and never the second ---- */

#define QUEUE 4608              /* the smallest that socket(7) gives */

/* How many packets of an answer's kind fit, the short one first. */
static int room_of(int socket) {
        static const char *const answer[] = { BARE_MOUNT_FD, QUICK };
        int n = 0;

        while (send(socket, answer[n % 2], strlen(answer[n % 2]), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                n++;
        return n;
}

static void shrink(int socket) {
        int size = QUEUE / 2;

        assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

static int room(void) {
        int ends[2], n;

        assert_int_equal(initsync_pair(&ends[0], &ends[1]), 0);
        shrink(ends[0]);
        n = room_of(ends[0]);
        close(ends[0]);
        close(ends[1]);
        return n;
}

static int never_reads(int socket, void *arg) {
        int i, n = *(int *)arg;

        usleep(50000);                  /* until the queue is as small as the test wants it */
        for (i = 0; i < n; i++)
                BARE_CHECK(bare_send(socket, BARE_MOUNT(QUICK)) == 0);
        for (;;)
                pause();
}

static void shrunk(struct duo *duo, const int *n, int filler) {
        duo_start(duo, never_reads, (void *)n);
        shrink(duo->socket);
        if (filler)                     /* so that of an answer's two packets one has room */
                assert_int_equal(send(duo->socket, "?", 1, MSG_DONTWAIT), 1);
}

static void test_half_an_answer(void **state) {
        struct initsync_mount mounts[64];
        struct duo duos[2];
        int fit = room(), filler = fit % 2 == 0, n = (fit - filler) / 2 + 1, i;
        char text[96];

        (void)state;
        if (!may_mount)
                skip();
        assert_true(fit >= 2 && n <= 64);
        for (i = 0; i < n; i++)
                mounts[i] = bind_of(QUICK);
        snprintf(text, sizeof(text), "mount request %d: " QUICK " was not made, or not taken by the child", n - 1);
        for (i = 0; i < 2; i++) {
                duo_init(&duos[i]);
                duos[i].options.mounts = mounts;
                duos[i].options.n_mounts = (size_t)n;
                duos[i].options.timeout_ms = LATE_MS;
                if (i == 0)
                        duos[i].options.trace = NULL;
                shrunk(&duos[i], &n, filler);
        }
        duo_all(duos, 2);
        for (i = 0; i < 2; i++) {
                duo_failed(&duos[i], -ETIMEDOUT, INITSYNC_STAGE_MOUNT, INITSYNC_STEP_MOUNTS, text);
                assert_true(duos[i].error.request == n - 1 && duos[i].error.mount == n - 1);
                assert_true(duos[i].took_ms >= LATE_MS && duos[i].took_ms < LATE_MS + 1500);
                duo_end(&duos[i]);
        }
}

/* ---- a mount task that hangs has a copy of the socket, and keeps nobody waiting ---- */

/* Whoever speaks to a conversation that is over is told so. */
static int speaks_on(int socket, void *arg) {
        char packet[4096];
        int i, r, want_error = *(int *)arg;

        BARE_CHECK(bare_send(socket, BARE_MOUNT(PLACE "/a")) == 0);
        r = bare_receive(socket, packet, sizeof(packet), NULL);
        BARE_CHECK(!want_error || (r > 0 && strstr(packet, "procError")));
        BARE_CHECK((want_error ? bare_receive(socket, packet, sizeof(packet), NULL) : r) == 0);
        for (i = 0; i < 40; i++) {
                if (send(socket, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
                        return 0;
                usleep(20000);
        }
        return 5;
}

static void hang(int to_the_end) {
        struct initsync_mount mounts[1] = { bind_of(PLACE "/a") };
        int server = slowfs_start(PLACE, SLOWFS_NEVER), i;
        int64_t begin;
        struct duo duo;

        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_NO_KILL;
        duo.options.mounts = mounts;
        duo.options.n_mounts = 1;
        duo.options.timeout_ms = LATE_MS;
        duo_start(&duo, speaks_on, &to_the_end);
        for (i = 0; !to_the_end && i < 100; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        if (to_the_end) {
                duo_run(&duo);
                duo_failed(&duo, -ETIMEDOUT, INITSYNC_STAGE_MOUNT, INITSYNC_STEP_MOUNTS, PLACE "/a");
        }
        begin = duo_now();
        duo.parent = initsync_parent_free(duo.parent);
        assert_true(duo_now() - begin < 500);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
        slowfs_stop(server, PLACE);
        for (i = 0; i < 200 && initsync_abandoned(); i++)
                usleep(10000);
}

static void test_hangs_at_the_end(void **state) {
        (void)state;
        if (!may_fuse)
                skip();
        hang(1);
}

static void test_hangs_when_freed(void **state) {
        (void)state;
        if (!may_fuse)
                skip();
        hang(0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_each_in_time),
                left_test(test_the_second_is_late),
                left_test(test_half_an_answer),
                left_test(test_hangs_at_the_end),
                left_test(test_hangs_when_freed),
        };
        int server;

        may_mount = place_enter() && mount("none", "/tmp", "tmpfs", 0, NULL) == 0 && mkdir(PLACE, 0755) == 0 &&
                    mkdir(QUICK, 0755) == 0;
        server = may_mount ? slowfs_start(PLACE, 0) : -EPERM;
        may_fuse = server > 0;
        if (may_fuse)
                slowfs_stop(server, PLACE);
        else
                print_message("# no slow file system here: %s\n", may_mount ? strerror(-server) : place_why());
        return cmocka_run_group_tests(tests, NULL, NULL);
}
