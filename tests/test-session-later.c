/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"
#include "support/place.h"

#include <initsync.h>
#include "session/parent.h"

/* Callbacks: those that answer later, those that refuse, and who is told. */

static int may_mount;

static int everything(int socket, void *arg) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int with_mount = *(int *)arg, fd = -1, listener;

        mount.source = "/";
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(!with_mount || initsync_child_mount(child, &mount, &fd, &error) == 0);
        BARE_CHECK(!with_mount || place_has(fd, "proof"));
        BARE_CHECK(initsync_child_hooks(child, &error) == 0);
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        BARE_CHECK(initsync_child_prepare_seccomp(child, &error) == 0);
        listener = filter_listener();
        BARE_CHECK(initsync_child_seccomp(child, listener, &error) == 0);
        initsync_child_free(child);
        return 0;
}

/* What is served has nothing to do with what was asked for. */
static int detached = -1;

static int serve_tmpfs(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        assert_string_equal(asked->source, "/");
        assert_int_equal(asked->source_fd, -1);
        assert_string_equal(ret_serve->source, asked->source);
        ret_serve->source_fd = detached;
        return 0;
}

static void later(enum duo_callback which) {
        struct duo duo;

        duo_init(&duo);
        duo.later = which;
        duo.on_allow = serve_tmpfs;
        duo_start(&duo, everything, &may_mount);
        duo_loop(&duo);
        duo_good(&duo);
        assert_true(duo.took_ms >= 20);
        assert_int_equal(duo.calls[which], 1);
        assert_string_equal(duo_trace(&duo) + (may_mount ? strlen("> procMountPlease, < procMountFd, ") : 0),
                            "> procHooks, < procHooksDone, > procReady, < procRun, > procSeccomp, < procSeccompDone");
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

static void test_hooks_later(void **state) {
        (void)state;
        later(DUO_HOOKS);
}

static void test_ready_later(void **state) {
        (void)state;
        later(DUO_READY);
}

static void test_seccomp_later(void **state) {
        (void)state;
        later(DUO_SECCOMP);
}

/* Its answer is what was written to ret_serve before it returned; the strings of the request are valid until then. */
static struct initsync_mount *later_serve;
static const struct initsync_mount *later_asked;

static int keep_for_later(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        later_asked = asked;
        later_serve = ret_serve;
        return 0;
}

static void test_allow_later(void **state) {
        struct duo duo;
        int i;

        (void)state;
        if (!may_mount)
                skip();
        duo_init(&duo);
        duo.later = DUO_ALLOW;
        duo.on_allow = keep_for_later;
        duo_start(&duo, everything, &may_mount);
        for (i = 0; i < 2000 && !duo.calls[DUO_ALLOW]; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        assert_string_equal(later_asked->source, "/");
        serve_tmpfs(later_asked, later_serve);
        duo.later = DUO_NONE;
        assert_int_equal(initsync_parent_resume(duo.parent, 0, NULL), 0);
        assert_int_equal(initsync_parent_resume(duo.parent, 0, NULL), -EALREADY);
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

/* While one request is thought about the next is not even read: the strings of the first lie where it would go. */
static void test_asked_stays_valid(void **state) {
        static const char *const script[] = { BARE_MOUNT("/"), BARE_MOUNT("/other/one"), "<...procError", NULL };
        struct duo duo;
        int i;

        (void)state;
        duo_init(&duo);
        duo.later = DUO_ALLOW;
        duo.on_allow = keep_for_later;
        duo_start(&duo, bare_child, (void *)script);
        for (i = 0; i < 2000 && !duo.calls[DUO_ALLOW]; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        for (i = 0; i < 30; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        assert_int_equal(duo.calls[DUO_ALLOW], 1);
        assert_string_equal(later_asked->source, "/");
        duo.later = DUO_NONE;
        assert_int_equal(initsync_parent_resume(duo.parent, -EACCES, NULL), 0);
        duo_run(&duo);
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_CALLBACK, INITSYNC_STEP_MOUNTS, "allow");
        duo_end(&duo);
}

#define LONG 130000             /* of LIMIT_REQUEST's 131,072 */

static int asks_at_length(int socket, void *arg) {
        static const char end[] = "\",\"source\":\"/\",\"destination\":\"/mnt\",\"device\":\"bind\",\"flags\":4096}}";
        char *packet = malloc(LONG + 2 * sizeof(end));
        int n = sprintf(packet, "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"data\":\"");

        (void)arg;
        memset(packet + n, 'x', LONG);
        memcpy(packet + n + LONG, end, sizeof(end));
        BARE_CHECK(bare_send(socket, packet) == 0);
        free(packet);
        return bare_receive(socket, (char[4096]){ 0 }, 4096, NULL) <= 0;
}

/* What a long request took of the receive buffer goes back, but not while a callback still reads in it. */
static void test_long_request(void **state) {
        struct duo duo;
        int i;

        (void)state;
        duo_init(&duo);
        duo.later = DUO_ALLOW;
        duo.on_allow = keep_for_later;
        duo_start(&duo, asks_at_length, NULL);
        for (i = 0; i < 2000 && !duo.calls[DUO_ALLOW]; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        assert_string_equal(later_asked->source, "/");
        for (i = 10000; i < LONG; i += 1000)
                assert_int_equal(duo.parent->packet[i], 'x');
        duo.later = DUO_NONE;
        assert_int_equal(initsync_parent_resume(duo.parent, -EACCES, NULL), 0);
        for (i = 70000; i < 75000 && sysconf(_SC_PAGESIZE) <= 16384; i += 1000)
                assert_int_equal(duo.parent->packet[i], 0);
        duo_run(&duo);
        duo_failed(&duo, -EACCES, INITSYNC_STAGE_CALLBACK, INITSYNC_STEP_MOUNTS, "allow");
        duo_end(&duo);
}

/* The callback's own words reach the error and the child, whether it refuses at once or later. */
static int refused(int socket, void *arg) {
        struct initsync_child *child = NULL;
        struct initsync_error error;
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        int step = *(int *)arg, r = 0, fd = -7;

        mount.source = "/";
        BARE_CHECK(initsync_child_new(&child, socket, NULL, NULL) == 0);
        if (step == DUO_ALLOW)
                r = initsync_child_mount(child, &mount, &fd, &error);
        if (step == DUO_HOOKS)
                r = initsync_child_hooks(child, &error);
        if (step >= DUO_READY)
                r = initsync_child_ready(child, &error);
        if (step == DUO_SECCOMP) {
                BARE_CHECK(r == 0 && initsync_child_prepare_seccomp(child, NULL) == 0);
                r = initsync_child_seccomp(child, filter_listener(), &error);
        }
        BARE_CHECK(r == -EREMOTEIO && error.code == r && fd == -7);
        BARE_CHECK(strstr(error.text, "the moon is full\\x1b[2J"));
        BARE_CHECK(initsync_child_hooks(child, &error) == -EREMOTEIO && strstr(error.text, "the moon is full"));
        BARE_CHECK(initsync_child_fail(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void refuse(enum duo_callback which, int when) {
        static const int steps[] = { 0, INITSYNC_STEP_MOUNTS, INITSYNC_STEP_HOOKS, INITSYNC_STEP_READY,
                                     INITSYNC_STEP_SECCOMP };
        static const char *const texts[] = { "", "allow: the moon", "hooks: the moon", "ready: the moon",
                                             "seccomp: the moon" };
        int step = which;
        struct duo duo;

        duo_init(&duo);
        duo.options.grace_ms = 5000;            /* it ends by itself long before */
        duo.answers[which] = -EXDEV;
        duo.why = "the moon is full\033[2J";
        duo.later = when ? which : DUO_NONE;
        duo_start(&duo, refused, &step);
        duo_loop(&duo);
        assert_int_equal(duo.calls[which], 1);
        duo_failed(&duo, -EXDEV, INITSYNC_STAGE_CALLBACK, steps[which], texts[which]);
        assert_int_equal(duo.error.status, 0);
        assert_true(duo.took_ms < 3000);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

static void test_refusals(void **state) {
        enum duo_callback which;

        (void)state;
        for (which = DUO_ALLOW; which <= DUO_SECCOMP; which++) {
                refuse(which, 0);
                refuse(which, 1);
        }
}

/* Without a callback the request is refused, except ready. */
static void no_callback(enum duo_callback which, int code, int stage, int step, const char *text) {
        static const char *const scripts[][6] = {
                [DUO_ALLOW] = { BARE_MOUNT("/"), "<...procError", "<eof", NULL },
                [DUO_HOOKS] = { BARE_HOOKS, "<...procError", "<eof", NULL },
                [DUO_SECCOMP] = { BARE_READY, "<" BARE_RUN, BARE_SECCOMP("3"), "<...procError", "<eof", NULL },
        };
        struct duo duo;

        duo_init(&duo);
        duo.options.grace_ms = 5000;
        duo.options.allow = NULL;
        duo.options.hooks = NULL;
        duo.options.seccomp = NULL;
        duo_start(&duo, bare_child, (void *)scripts[which]);
        duo_run(&duo);
        duo_failed(&duo, code, stage, step, text);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

static void test_no_callbacks(void **state) {
        (void)state;
        no_callback(DUO_ALLOW, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS,
                    "mount / on /mnt: not listed by the runtime");
        no_callback(DUO_HOOKS, -EOPNOTSUPP, INITSYNC_STAGE_CALLBACK, INITSYNC_STEP_HOOKS, "hooks");
        no_callback(DUO_SECCOMP, -EOPNOTSUPP, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_SECCOMP, "no listener is configured");
}

/* A callback's answer that is none. */
static void test_positive_answer(void **state) {
        static const char *const script[] = { BARE_HOOKS, "<...procError", "<eof", NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.grace_ms = 5000;
        duo.answers[DUO_HOOKS] = 2;
        duo_start(&duo, bare_child, (void *)script);
        duo_run(&duo);
        duo_failed(&duo, -EINVAL, INITSYNC_STAGE_CALLBACK, INITSYNC_STEP_HOOKS, "hooks");
        duo_end(&duo);
}

static void test_run_cannot_wait(void **state) {
        int with_mount = 0;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.later = DUO_HOOKS;
        duo_start(&duo, everything, &with_mount);
        assert_int_equal(initsync_parent_resume(duo.parent, 0, NULL), -EALREADY);
        assert_int_equal(duo_run(&duo), -EDEADLK);
        assert_int_equal(duo.error.code, -EDEADLK);
        assert_int_equal(duo_run(&duo), -EDEADLK);
        assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
        assert_int_equal(initsync_parent_resume(duo.parent, 1, NULL), -EINVAL);
        duo.later = DUO_NONE;
        assert_int_equal(initsync_parent_resume(duo.parent, 0, NULL), 0);
        assert_int_equal(initsync_parent_resume(duo.parent, 0, NULL), -EALREADY);
        duo_run(&duo);
        duo_good(&duo);
        assert_int_equal(duo.calls[DUO_HOOKS], 1);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

/* The child fails while its answer is still being thought about; the answer then comes too late and does no harm. */
static void gone_meanwhile(const char *const *script, int code, const char *text) {
        struct duo duo;

        duo_init(&duo);
        duo.later = DUO_HOOKS;
        duo_start(&duo, bare_child, (void *)script);
        duo_run(&duo);
        if (duo.result == -EDEADLK) {
                duo.later = DUO_NONE;
                duo_loop(&duo);
        }
        duo_failed(&duo, code, code == -EPROTO ? INITSYNC_STAGE_PROTOCOL : INITSYNC_STAGE_PEER, INITSYNC_STEP_HOOKS, text);
        assert_string_equal(strstr(duo_trace(&duo), "procHooksDone") ? "told" : "not told", "not told");
        duo_end(&duo);
}

static void test_child_fails_meanwhile(void **state) {
        static const char *const dies[] = { BARE_HOOKS, NULL };
        static const char *const tells[] = { BARE_HOOKS, BARE_ERROR("changed my mind"), NULL };
        static const char *const goes_on[] = { BARE_HOOKS, BARE_READY, ".", NULL };

        (void)state;
        gone_meanwhile(dies, -ECONNRESET, "before the conversation was complete");
        gone_meanwhile(tells, -EREMOTEIO, "child: changed my mind");
        gone_meanwhile(goes_on, -EPROTO, "procReady out of order: expected nothing");
}

/* A child that gives up while allow thinks: its words must not be lost either. */
static void test_child_gives_up_on_allow(void **state) {
        static const char *const script[] = { BARE_MOUNT("/"), BARE_ERROR("no answer in time"), NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.later = DUO_ALLOW;
        duo_start(&duo, bare_child, (void *)script);
        duo_run(&duo);
        if (duo.result == -EDEADLK) {
                duo.later = DUO_NONE;
                duo_loop(&duo);
        }
        duo_failed(&duo, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "child: no answer in time");
        duo_end(&duo);
}

/* A callback's time is not the conversation's: neither limit runs while one thinks. */
static void test_thinking_costs_nothing(void **state) {
        int with_mount = 0;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.budget_ms = duo.options.timeout_ms = duo.options.work_ms = 400;
        duo.later = DUO_READY;
        duo_start(&duo, everything, &with_mount);
        assert_int_equal(duo_run(&duo), -EDEADLK);
        usleep(600000);
        assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
        duo_loop(&duo);
        duo_good(&duo);
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_hooks_later),
                left_test(test_ready_later),
                left_test(test_seccomp_later),
                left_test(test_allow_later),
                left_test(test_asked_stays_valid),
                left_test(test_long_request),
                left_test(test_refusals),
                left_test(test_no_callbacks),
                left_test(test_positive_answer),
                left_test(test_run_cannot_wait),
                left_test(test_child_fails_meanwhile),
                left_test(test_child_gives_up_on_allow),
                left_test(test_thinking_costs_nothing),
        };

        may_mount = place_enter() &&
                initsync_feature("open_tree_attr") == 1;   /* the clone of a detached mount: Linux 6.15 */
        if (may_mount)
                detached = place_tmpfs("proof");
        may_mount = detached >= 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
