/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/bytes.h"
#include "support/duo.h"
#include "support/left.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* A child that says what it should not. */

#define PROTO -EPROTO, INITSYNC_STAGE_PROTOCOL
#define WIRE -EPROTO, INITSYNC_STAGE_WIRE
#define RUNNING BARE_HOOKS, "<" BARE_HOOKS_DONE, BARE_READY, "<" BARE_RUN
#define REQUEST(arg) "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":" arg "}"

struct row {
        const char *script[8];
        int code, stage, step;
        const char *text;
        int hooks, ready;               /* how often the callbacks were called */
};

static const struct row rows[] = {
        /* what is no message */
        { { "{", "." }, WIRE, INITSYNC_STEP_MOUNTS, "message: expected", 0, 0 },
        { { "[]", "." }, WIRE, INITSYNC_STEP_MOUNTS, "message: expected an object", 0, 0 },
        { { "\001", "." }, WIRE, INITSYNC_STEP_MOUNTS, "message: expected an object", 0, 0 },
        { { BARE_HOOKS BARE_HOOKS, "." }, WIRE, INITSYNC_STEP_MOUNTS, "expected", 0, 0 },
        { { "{\"type\":\"procHooks\"}", "." }, WIRE, INITSYNC_STEP_MOUNTS, "flags", 0, 0 },
        { { "{\"flags\":0}", "." }, WIRE, INITSYNC_STEP_MOUNTS, "type", 0, 0 },
        { { "{\"type\":\"procHooks\",\"flags\":\"0\"}", "." }, WIRE, INITSYNC_STEP_MOUNTS, "procHooks: flags: expected", 0,
          0 },
        { { BARE_PLAIN("procFly\\u001b[2J"), "." }, WIRE, INITSYNC_STEP_MOUNTS,
          "message: type: \"procFly\\x1b[2J\" is unknown", 0, 0 },
        { { BARE_PLAIN("procMountPlease"), "." }, WIRE, INITSYNC_STEP_MOUNTS, "procMountPlease: arg is missing", 0, 0 },
        { { "{\"type\":\"procReady\",\"flags\":0,\"arg\":1}", "." }, WIRE, INITSYNC_STEP_MOUNTS,
          "procReady: arg: expected no argument", 0, 0 },
        { { REQUEST("{\"source\":1,\"destination\":\"\",\"device\":\"\"}"), "." }, WIRE, INITSYNC_STEP_MOUNTS,
          "procMountPlease: arg.source: expected", 0, 0 },
        { { REQUEST("{\"source\":\"/a\\u0000b\",\"destination\":\"\",\"device\":\"\"}"), "." }, WIRE, INITSYNC_STEP_MOUNTS,
          "procMountPlease: arg.source: expected", 0, 0 },
        { { BARE_HOOKS, "<" BARE_HOOKS_DONE, "nonsense", "." }, WIRE, INITSYNC_STEP_PIVOT, "message: expected", 1, 0 },
        { { RUNNING, "nonsense", "." }, WIRE, INITSYNC_STEP_RUN, "message: expected", 1, 1 },
        { { RUNNING, BARE_SECCOMP("\"3\""), "." }, WIRE, INITSYNC_STEP_RUN, "procSeccomp: arg: expected", 1, 1 },
        /* what is the parent's to say */
        { { BARE_HOOKS_DONE, "." }, PROTO, INITSYNC_STEP_MOUNTS,
          "procHooksDone out of order: expected procMountPlease, procHooks, procReady", 0, 0 },
        { { BARE_RUN, "." }, PROTO, INITSYNC_STEP_MOUNTS, "procRun out of order", 0, 0 },
        { { BARE_MOUNT_FD, "." }, PROTO, INITSYNC_STEP_MOUNTS, "procMountFd out of order", 0, 0 },
        { { RUNNING, BARE_SECCOMP_DONE, "." }, PROTO, INITSYNC_STEP_RUN,
          "procSeccompDone out of order: expected procSeccomp", 1, 1 },
        /* a descriptor packet is announced where none belongs */
        { { "{\"type\":\"procHooks\",\"flags\":1}", "." }, PROTO, INITSYNC_STEP_MOUNTS,
          "procHooks out of order: expected no descriptor with it", 0, 0 },
        { { "{\"type\":\"procReady\",\"flags\":3}", "." }, PROTO, INITSYNC_STEP_MOUNTS,
          "procReady out of order: expected no descriptor with it", 0, 0 },
        /* while an answer is due */
        { { BARE_HOOKS, BARE_HOOKS, "." }, PROTO, INITSYNC_STEP_PIVOT, "procHooks out of order: expected procReady", 1, 0 },
        { { BARE_READY, BARE_READY, "." }, PROTO, INITSYNC_STEP_RUN, "procReady out of order", 0, 1 },
        /* after procRun */
        { { RUNNING, BARE_READY, "." }, PROTO, INITSYNC_STEP_RUN,
          "procReady out of order: expected procSeccomp, end-of-file", 1, 1 },
        { { RUNNING, BARE_HOOKS, "." }, PROTO, INITSYNC_STEP_RUN, "procHooks out of order", 1, 1 },
        { { RUNNING, BARE_MOUNT("/"), "." }, PROTO, INITSYNC_STEP_RUN, "procMountPlease out of order", 1, 1 },
        { { BARE_HOOKS, "<" BARE_HOOKS_DONE, BARE_MOUNT("/"), "." }, PROTO, INITSYNC_STEP_PIVOT,
          "procMountPlease out of order: expected procReady", 1, 0 },
        { { BARE_SECCOMP("3"), "." }, PROTO, INITSYNC_STEP_MOUNTS, "procSeccomp out of order", 0, 0 },
        /* requests that nothing allows */
        { { REQUEST("{\"source\":\"/tmpfs\",\"destination\":\"/mnt\",\"device\":\"tmpfs\"}"), "." }, PROTO,
          INITSYNC_STEP_MOUNTS, "expected MS_BIND", 0, 0 },
        /* it tells us itself */
        { { BARE_ERROR("") }, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "child: it failed and did not say why",
          0, 0 },
        { { BARE_PLAIN("procError") }, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS,
          "child: it failed and did not say why", 0, 0 },
        { { BARE_ERROR("%n%s%n\\n\\u001b]0;x\\u0007") }, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS,
          "child: %n%s%n\\x0a\\x1b]0;x\\x07", 0, 0 },
        { { RUNNING, BARE_ERROR("late") }, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_RUN, "child: late", 1, 1 },
        /* nothing after procError counts */
        { { BARE_ERROR("first"), BARE_HOOKS, BARE_READY, BARE_ERROR("second") }, -EREMOTEIO, INITSYNC_STAGE_PEER,
          INITSYNC_STEP_MOUNTS, "child: first", 0, 0 },
        /* end-of-file, by exit, at each step */
        { { NULL }, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "exit status 0", 0, 0 },
        { { BARE_HOOKS, "<" BARE_HOOKS_DONE }, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_PIVOT, "exit status 0", 1,
          0 },
};

static void expect(const struct row *row, const struct duo *duo) {
        if (duo->calls[DUO_HOOKS] != row->hooks || duo->calls[DUO_READY] != row->ready)
                fail_msg("%s: hooks ran %d times, ready %d times", row->text, duo->calls[DUO_HOOKS], duo->calls[DUO_READY]);
}

static void test_table(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                const struct row *row = &rows[i];
                struct duo duo;

                duo_init(&duo);
                duo.options.grace_ms = 3000;    /* hostile ones get none, the others leave by themselves */
                duo_start(&duo, bare_child, (void *)row->script);
                duo_run(&duo);
                duo_failed(&duo, row->code, row->stage, row->step, row->text);
                expect(row, &duo);
                assert_true(duo.took_ms < 1500);
                duo_end(&duo);
        }
}

/* The same with a child that is let live: it reads why, and the reason is the first. */
static void test_no_kill(void **state) {
        static const char *const script[] = { BARE_RUN, BARE_HOOKS, "<...procRun out of order", "<eof", "~400", NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_NO_KILL;
        duo_start(&duo, bare_child, (void *)script);
        duo_run(&duo);
        duo_failed(&duo, PROTO, INITSYNC_STEP_MOUNTS, "procRun out of order");
        assert_int_equal(duo.error.status, -1);
        assert_true(duo.took_ms >= 100 && (duo.took_ms < 350 || getenv("INITSYNC_PATIENCE")));
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

/* A child that may be honest reads procError and leaves: its own exit status is what is reported, no signal. */
static void test_grace(void **state) {
        static const char *const leaves[] = { BARE_MOUNT("/not/listed"), "<...not listed", "<eof", "~100", NULL };
        static const char *const stays[] = { BARE_MOUNT("/not/listed"), ".", NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.allow = NULL;
        duo.options.grace_ms = 5000;
        duo_start(&duo, bare_child, (void *)leaves);
        duo_run(&duo);
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS, "/not/listed");
        assert_int_equal(duo.error.status, 0);
        assert_true(duo.took_ms < 2000);
        assert_int_equal(duo.error.request, 0);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);

        duo_init(&duo);
        duo.options.allow = NULL;
        duo.options.grace_ms = 250;
        duo_start(&duo, bare_child, (void *)stays);
        duo_run(&duo);
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS, "/not/listed");
        assert_int_equal(duo.error.status, SIGKILL);
        assert_true(duo.took_ms >= 250 && duo.took_ms < 1250);
        assert_int_equal(duo.calls[DUO_KILL], 0);
        duo_end(&duo);
}

/* One packet of a chosen size: blanks are no error, so that the limit alone decides. */
static int big(int socket, void *arg) {
        static const char *const rest[] = { "<...flags", NULL };
        size_t n = *(size_t *)arg;
        char *packet = malloc(n);
        int r, buffer = 4 << 20;

        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
        memset(packet, ' ', n);
        memcpy(packet, BARE_HOOKS, strlen(BARE_HOOKS));
        r = bare_send_fds(socket, packet, n, -1, 0);
        free(packet);
        return r < 0 ? 2 : bare_child(socket, (void *)rest);
}

static void test_packet_sizes(void **state) {
        static const size_t sizes[] = { 131071, 131072, 131073, 200000 };
        struct rusage usage;
        struct duo duo;
        size_t i;
        long before;

        (void)state;
        for (i = 0; i < 4; i++) {
                duo_init(&duo);
                getrusage(RUSAGE_SELF, &usage);
                before = usage.ru_maxrss;
                duo_start(&duo, big, (void *)&sizes[i]);
                duo_run(&duo);
                if (sizes[i] <= 131072)
                        duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_PIVOT, NULL);
                else
                        duo_failed(&duo, -EMSGSIZE, INITSYNC_STAGE_WIRE, INITSYNC_STEP_MOUNTS, "more than 131072 bytes");
                assert_int_equal(duo.calls[DUO_HOOKS], sizes[i] <= 131072);
                getrusage(RUSAGE_SELF, &usage);
                assert_true(usage.ru_maxrss - before < 8192);
                duo_end(&duo);
        }
}

/* An empty packet looks like end-of-file to recv(2), and is not one. */
static int empty(int socket, void *arg) {
        if (bare_play(socket, arg) < 0 || bare_send_fds(socket, "", 0, -1, 0) < 0)
                return 1;
        for (;;)
                pause();
}

static void test_empty_packet(void **state) {
        static const char *const first[] = { NULL };
        static const char *const running[] = { RUNNING, NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, empty, (void *)first);
        duo_run(&duo);
        duo_failed(&duo, WIRE, INITSYNC_STEP_MOUNTS, "the child sent an empty packet");
        duo_end(&duo);
        duo_init(&duo);
        duo_start(&duo, empty, (void *)running);
        duo_run(&duo);
        duo_failed(&duo, WIRE, INITSYNC_STEP_RUN, "the child sent an empty packet");
        duo_end(&duo);
}

/* 128 KiB of what a terminal would act on (A23). */
static int long_error(int socket, void *arg) {
        static const char *const units[] = { "\\u001b]0;x\\n", "%n%s\\r", "\\u009b31m", "\xf0\x9f\x98\x80", "\\u202e" };
        char *text = bytes_repeat(units[*(int *)arg], 130900 / strlen(units[*(int *)arg]));
        char *packet = bytes_format("{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"%s\"}}", text);

        return bare_send(socket, packet) < 0;
}

static void test_long_errors(void **state) {
        struct duo duo;
        int which;

        (void)state;
        for (which = 0; which < 5; which++) {
                duo_init(&duo);
                duo_start(&duo, long_error, &which);
                duo_run(&duo);
                duo_failed(&duo, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "child: ");
                assert_int_equal(duo.error.status, 0);
                assert_null(strchr(duo.error.text, '\033'));
                duo_end(&duo);
                assert_int_equal(duo.status, 0);
        }
}

/* As many requests as it likes: the second for one entry, and whatever is not listed, ends it (A03). */
static int asks_for_ever(int socket, void *arg) {
        char packet[300];
        int i;

        for (i = 0; i < 1000000; i++) {
                snprintf(packet, sizeof(packet), "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":\"%s\","
                         "\"destination\":\"/mnt\",\"device\":\"bind\",\"flags\":4096}}", (const char *)arg);
                if (bare_send(socket, packet) < 0)
                        return 0;
        }
        return 1;
}

static void test_a_million_requests(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct duo duo;

        (void)state;
        mount.source = "/";
        mount.flags = INITSYNC_MOUNT_RECURSIVE; /* not as it is asked for */
        duo_init(&duo);
        duo.options.allow = NULL;
        duo.options.mounts = &mount;
        duo.options.n_mounts = 1;
        duo_start(&duo, asks_for_ever, (void *)"/");
        duo_run(&duo);
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS,
                   "listed by the runtime, but not so: recursion of the bind differs");
        duo_end(&duo);

        duo_init(&duo);
        duo.options.allow = NULL;
        duo_start(&duo, asks_for_ever, (void *)"/etc/shadow");
        duo_run(&duo);
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS, "not listed by the runtime");
        assert_true(duo.took_ms < 1500);
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_table),
                left_test(test_no_kill),
                left_test(test_grace),
                left_test(test_packet_sizes),
                left_test(test_empty_packet),
                left_test(test_long_errors),
                left_test(test_a_million_requests),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
