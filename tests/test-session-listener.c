/* SPDX-License-Identifier: MIT */
/* What a child may name, or send, in the place of its seccomp listener. */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"
#include "support/supervised.h"

#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- numbers and descriptors that procSeccomp may name: none is a listener, and the callback never sees one (A21) ---- */

static int listener_of_kind(int kind, int socket) {
        int fds[2] = { -1, -1 };

        switch (kind) {
        case 0:
                return open("/dev/null", O_RDWR);
        case 1:
                return open("/proc/self/status", O_RDONLY);
        case 2:
                return pipe(fds) < 0 ? -1 : fds[0];
        case 3:
                return eventfd(0, 0);
        case 4:
                return epoll_create1(0);
        case 5:
                return (int)syscall(SYS_memfd_create, "anon_inode:seccomp notify", 0);
        case 6:
                return (int)syscall(SYS_pidfd_open, getpid(), 0);
        case 7:
                return socket;
        case 8:
                return open("/", O_PATH | O_DIRECTORY);
        case 9:
                return open("/proc/self/ns/user", O_RDONLY);
        default:
                return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 ? -1 : fds[0];
        }
}

#define KINDS 11

struct naming {
        int kind;
        const char *number;             /* instead of a descriptor's */
        int by_fd;
};

static int name_it(int socket, void *arg) {
        static const char *const first[] = { BARE_READY, "<" BARE_RUN, NULL };
        const struct naming *naming = arg;
        int fd = naming->number ? -1 : listener_of_kind(naming->kind, socket);
        char packet[128];

        if (bare_play(socket, first) < 0)
                return 1;
        if (naming->number)
                snprintf(packet, sizeof(packet), BARE_SECCOMP("%s"), naming->number);
        else
                snprintf(packet, sizeof(packet), "{\"type\":\"procSeccomp\",\"flags\":%d,\"arg\":%d}", naming->by_fd, fd);
        BARE_CHECK(bare_send(socket, packet) == 0);
        if (naming->by_fd)
                bare_send_fds(socket, "seccomp", 7, fd, 1);
        for (;;)
                pause();
}

static void refuse_listener(const struct naming *naming, int code, int stage, const char *text) {
        struct duo duo;

        duo_init(&duo);
        duo.options.flags = naming->by_fd ? INITSYNC_PARENT_SECCOMP_FD : 0;
        duo_start(&duo, name_it, (void *)naming);
        duo_run(&duo);
        duo_failed(&duo, code, stage, code == -EPROTO && stage == INITSYNC_STAGE_WIRE ? INITSYNC_STEP_RUN
                   : INITSYNC_STEP_SECCOMP, text);
        assert_int_equal(duo.calls[DUO_SECCOMP], 0);
        assert_true(duo.took_ms < 1000);
        duo_end(&duo);
}

static void test_no_listener(void **state) {
        static const char *const numbers[] = { "-1", "-2147483648", "1048577", "2147483648", "1000000000000000000" };
        struct naming naming = { 0 };
        size_t i;

        (void)state;
        for (naming.by_fd = 0; naming.by_fd < 2; naming.by_fd++)
                for (naming.kind = 0; naming.kind < KINDS; naming.kind++)
                        refuse_listener(&naming, -EPROTO, INITSYNC_STAGE_PROTOCOL, "expected a seccomp listener");
        naming.by_fd = 0;
        for (i = 0; i < 5; i++) {
                naming.number = numbers[i];
                refuse_listener(&naming, -EPROTO, INITSYNC_STAGE_PROTOCOL, "expected the number of a descriptor");
        }
        naming.number = "1048576";
        refuse_listener(&naming, -EBADF, INITSYNC_STAGE_PROTOCOL, "pidfd_getfd");
        naming.number = "18446744073709551616";
        refuse_listener(&naming, -EPROTO, INITSYNC_STAGE_WIRE, "procSeccomp: arg: expected");
}

/* The packet that should bring the descriptor: without one, with two, none at all, one too long. */
struct second {
        const char *data;
        size_t n, n_fds;
};

static int second_packet(int socket, void *arg) {
        static const char *const first[] = { BARE_READY, "<" BARE_RUN, "{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":3}",
                                             NULL };
        const struct second *second = arg;
        char *data = calloc(1, 8192);

        if (bare_play(socket, first) < 0)
                return 1;
        if (!second->data)
                return 0;
        memset(data, 'n', 8191);
        memcpy(data, second->data, strlen(second->data));
        BARE_CHECK(bare_send_fds(socket, data, second->n, open("/dev/null", O_RDONLY), second->n_fds) == 0);
        for (;;)
                pause();
}

static void test_second_packet(void **state) {
        static const struct {
                struct second second;
                int code;
                const char *text;
        } rows_[] = {
                { { "name", 4, 0 }, -EPROTO, "procSeccomp: a packet without exactly one descriptor" },
                { { "name", 4, 2 }, -EPROTO, "procSeccomp: a packet without exactly one descriptor" },
                { { "name", 4, 253 }, -EPROTO, "procSeccomp: a packet without exactly one descriptor" },
                { { "name", 8000, 1 }, -EMSGSIZE, "procSeccomp" },
                { { "", 0, 1 }, -EPROTO, "an empty packet" },
                { { BARE_ERROR("x"), 4, 0 }, -EPROTO, "procSeccomp" },
                { { NULL, 0, 0 }, -ECONNRESET, "before the conversation was complete" },
        };
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(rows_) / sizeof(rows_[0]); i++) {
                struct duo duo;

                duo_init(&duo);
                duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
                duo_start(&duo, second_packet, (void *)&rows_[i].second);
                duo_run(&duo);
                duo_failed(&duo, rows_[i].code, rows_[i].code == -ECONNRESET ? INITSYNC_STAGE_PEER : INITSYNC_STAGE_PROTOCOL,
                           INITSYNC_STEP_SECCOMP, rows_[i].text);
                assert_int_equal(duo.calls[DUO_SECCOMP], 0);
                duo_end(&duo);
        }
}

/* Both halves must have been told the same form. */
static void test_forms_differ(void **state) {
        static const char *const by_number[] = { BARE_READY, "<" BARE_RUN, BARE_SECCOMP("3"), ".", NULL };
        static const char *const by_fd[] = { BARE_READY, "<" BARE_RUN, "{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":3}",
                                             ".", NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_SECCOMP_FD;
        duo_start(&duo, bare_child, (void *)by_number);
        duo_run(&duo);
        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_SECCOMP, "flags: expected a descriptor packet");
        duo_end(&duo);
        duo_init(&duo);
        duo_start(&duo, bare_child, (void *)by_fd);
        duo_run(&duo);
        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_RUN,
                   "procSeccomp out of order: expected no descriptor with it");
        duo_end(&duo);
}

/* The number is a listener at one moment and something else at the next (A22): what the callback gets is always one. */
static int race_numbers[2];

/* A process with the same table of descriptors: a thread would do, but no sanitizer lets a forked process have one. */
static void swap(void) {
        int parent = getpid();

        if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL) != 0)
                return;
        while (getppid() == parent) {
                dup2(race_numbers[0], 100);
                dup2(race_numbers[1], 100);
        }
        _exit(0);
}

static int swapping(int socket, void *arg) {
        static const char *const rest[] = { BARE_READY, "<" BARE_RUN, BARE_SECCOMP("100"), NULL };
        char packet[4096];

        (void)arg;
        race_numbers[0] = filter_listener();
        race_numbers[1] = open("/dev/null", O_RDONLY);
        dup2(race_numbers[0], 100);
        swap();
        if (bare_play(socket, rest) < 0)
                return 1;
        bare_receive(socket, packet, sizeof(packet), NULL);
        _exit(0);
}

static int must_be_listener(struct duo *duo, int fd) {
        char path[64], name[64];
        ssize_t n;

        (void)duo;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, name, sizeof(name) - 1);
        return n > 0 && strncmp(name, "anon_inode:seccomp notify", (size_t)n) == 0 ? 0 : -1;
}

static void test_swapped_numbers(void **state) {
        int i, good = 0;

        (void)state;
        for (i = 0; i < 60; i++) {
                struct duo duo;

                duo_init(&duo);
                duo.on_seccomp = must_be_listener;
                duo_start(&duo, swapping, NULL);
                duo_run(&duo);
                good += duo.result == 0;
                if (duo.result < 0)
                        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_SECCOMP,
                                   "expected a seccomp listener");
                assert_int_equal(duo.calls[DUO_SECCOMP], duo.result == 0);
                duo_end(&duo);
        }
        print_message("# %d of 60 were listeners\n", good);
}

/*
 * The same with nothing left to chance: whoever gets the number a second time gets something else. A second process, with the
 * child's table of descriptors, makes it so when it is told to.
 */
static int orders[2], was_listener;

static void swap_on_order(void) {
        char byte;

        if (read(orders[1], &byte, 1) == 1 && dup2(race_numbers[1], 100) == 100)
                _exit(write(orders[1], &byte, 1) != 1);
        _exit(0);
}

static int swapped_later(int socket, void *arg) {
        static const char *const rest[] = { BARE_READY, "<" BARE_RUN, BARE_SECCOMP("100"), "<" BARE_SECCOMP_DONE,
                                            NULL };
        int pid, r;

        (void)arg;
        race_numbers[0] = filter_listener();
        race_numbers[1] = open("/dev/null", O_RDONLY);
        BARE_CHECK(dup2(race_numbers[0], 100) == 100 && race_numbers[1] >= 0);
        pid = (int)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
        BARE_CHECK(pid >= 0);
        if (pid == 0)
                swap_on_order();
        r = bare_play(socket, rest);
        shutdown(orders[1], SHUT_RDWR);
        waitpid(pid, NULL, 0);
        return r < 0;
}

static long second_gets_another(int call) {
        char byte = 0;

        if (call == 1 && (write(orders[0], &byte, 1) != 1 || read(orders[0], &byte, 1) != 1))
                return -EIO;
        return SUPERVISED_GO_ON;
}

static int note_listener(struct duo *duo, int fd) {
        was_listener = must_be_listener(duo, fd) == 0;
        return 0;
}

/* In a process of its own, which the filter does not outlive. */
static void get_once(void) {
        struct timeval patience = { .tv_sec = 10 };
        struct duo duo;

        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders) == 0);
        assert(setsockopt(orders[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
        duo_init(&duo);
        duo.on_seccomp = note_listener;
        duo.keep[duo.n_keep++] = orders[1];
        duo_start(&duo, swapped_later, NULL);
        supervised(SYS_pidfd_getfd, second_gets_another);
        duo_run(&duo);
        assert(duo.calls[DUO_SECCOMP] == 1 && was_listener);
        assert(duo.result == 0 && supervised_calls() == 1);
        duo_end(&duo);
        assert(duo.status == 0);
}

static void test_got_once(void **state) {
        int pid, status = -1;

        (void)state;
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                get_once();
                _exit(0);
        }
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_no_listener),
                left_test(test_second_packet),
                left_test(test_forms_differ),
                left_test(test_swapped_numbers),
                left_test(test_got_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
