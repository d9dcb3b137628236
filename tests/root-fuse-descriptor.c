/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/namespace.h"
#include "support/place.h"
#include "support/slowfs.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * The child gives, as its seccomp listener, a file whose close(2) never returns, in every packet that could bring one. The
 * runtime goes on: what hangs is a task, which is let go as soon as the server of that file is.
 */

#define PLACE "/tmp"            /* a tmpfs of the test's own lies on it */
#define BUDGET_MS 2000

struct gift {
        int by_number;
        size_t n, n_fds;        /* the packet that brings it */
        int code;
        const char *text;
        unsigned hang;          /* tasks that close it, or them */
};

/* What is received of several: on 64 bit the space for one descriptor has room for two. */
#define ROOM (sizeof(size_t) == 8 ? 2 : 1)

static const struct gift gifts[] = {
        { 0, 7, 1, -EPROTO, "expected a seccomp listener", 1 },
        { 0, 7, 2, -EPROTO, "a packet without exactly one descriptor", ROOM },
        { 0, 7, 3, -EPROTO, "a packet without exactly one descriptor", ROOM },
        { 0, 9000, 1, -EMSGSIZE, "receiving its descriptor", 1 },
        { 0, 0, 1, -EPROTO, "an empty packet", 1 },
        { 1, 0, 0, -EPROTO, "expected a seccomp listener", 1 },
};

/*
 * Another process with the same table of descriptors: the child's own end then closes nothing, so that it can be
 * killed. That one hangs in the kernel until the server is gone.
 */
static int share_descriptors(void) {
        int parent = getpid(), pid = (int)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid != 0)
                return pid < 0 ? -1 : 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent)
                pause();
        _exit(0);
}

static int give(int socket, void *arg) {
        static const char *const first[] = { BARE_READY, "<" BARE_RUN, NULL };
        const struct gift *gift = arg;
        int fd = open(PLACE "/file", O_RDWR | O_CLOEXEC);
        char packet[128], name[9000];

        BARE_CHECK(fd >= 0 && share_descriptors() == 0);
        if (bare_play(socket, first) < 0)
                return 1;
        snprintf(packet, sizeof(packet), "{\"type\":\"procSeccomp\",\"flags\":%d,\"arg\":%d}", !gift->by_number, fd);
        BARE_CHECK(bare_send(socket, packet) == 0);
        memset(name, 'n', sizeof(name));
        BARE_CHECK(gift->by_number || bare_send_fds(socket, name, gift->n, fd, gift->n_fds) == 0);
        for (;;)
                pause();
}

/* The next descriptors to be received are then 0 to 2, which the library gives to nobody: moving one would close it. */
static void free_stdio(int saved[3]) {
        int i;

        for (i = 0; i < 3; i++) {
                saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
                close(i);
        }
}

static void restore_stdio(const int saved[3]) {
        int i;

        for (i = 0; i < 3; i++) {
                dup2(saved[i], i);
                close(saved[i]);
        }
}

static void let_go(void) {
        int i;

        for (i = 0; i < 200 && initsync_abandoned(); i++)
                usleep(10000);
        assert_int_equal(initsync_abandoned(), 0);
}

static void take(const struct gift *gift, int no_stdio) {
        int server = slowfs_start(PLACE, 0), saved[3];
        int64_t start, freed;
        struct duo duo;
        unsigned hang;

        assert_true(server > 0);
        duo_init(&duo);
        duo.options.flags = gift->by_number ? 0 : INITSYNC_PARENT_SECCOMP_FD;
        duo.options.timeout_ms = 1000;
        duo.options.budget_ms = BUDGET_MS;
        duo_start(&duo, give, (void *)gift);
        if (no_stdio)
                free_stdio(saved);
        duo_run(&duo);
        start = duo_now();
        duo.parent = initsync_parent_free(duo.parent);
        freed = duo_now() - start;
        hang = initsync_abandoned();
        if (no_stdio)
                restore_stdio(saved);
        slowfs_stop(server, PLACE);
        let_go();
        duo_end(&duo);
        if (duo.result != gift->code || !strstr(duo.error.text, gift->text))
                fail_msg("%d instead of %d: %s", duo.result, gift->code, duo.error.text);
        assert_int_equal(duo.error.stage, INITSYNC_STAGE_PROTOCOL);
        assert_int_equal(duo.calls[DUO_SECCOMP], 0);
        assert_true(duo.took_ms < BUDGET_MS + 1000 && freed < 1000);
        assert_int_equal(hang, gift->hang);     /* it was such a file indeed */
        assert_true(WIFSIGNALED(duo.status) && WTERMSIG(duo.status) == SIGKILL);
}

static void test_with_a_packet(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++)
                if (!gifts[i].by_number)
                        take(&gifts[i], 0);
}

static void test_by_number(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++)
                if (gifts[i].by_number)
                        take(&gifts[i], 0);
}

static void test_without_stdio(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++)
                take(&gifts[i], 1);
}

int main(void) {
#ifdef __SANITIZE_THREAD__
        /* Its thread of its own forbids the forked children here what they are about: namespaces, and closing what hangs. */
        puts("1..0 # SKIP ThreadSanitizer's own thread forbids what the children here do");
        return 0;
#endif
        const struct CMUnitTest tests[] = {
                left_test(test_with_a_packet),
                left_test(test_by_number),
                left_test(test_without_stdio),
        };
        int server;

        if (!namespace_root() || !place_enter() || mount("none", PLACE, "tmpfs", 0, NULL) < 0) {
                printf("1..0 # SKIP needs root\n");
                return 0;
        }
        server = slowfs_start(PLACE, 0);
        if (server < 0) {
                printf("1..0 # SKIP no FUSE: %s\n", strerror(-server));
                return 0;
        }
        slowfs_stop(server, PLACE);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
