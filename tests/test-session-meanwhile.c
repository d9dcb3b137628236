/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"

#include <initsync.h>

/* What happens to a conversation while a callback of it has an answer to give. */

static void until_asked(struct duo *duo, enum duo_callback which) {
        int i;

        duo->later = which;
        for (i = 0; i < 2000 && !duo->calls[which]; i++) {
                assert_int_equal(initsync_parent_dispatch(duo->parent, NULL), 1);
                usleep(1000);
        }
        assert_int_equal(duo->calls[which], 1);
}

/* An answer for which it is too late is told so, and changes nothing. */
static void test_late_answer(void **state) {
        static const char *const script[] = { BARE_HOOKS, "~100", NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, bare_child, (void *)script);
        until_asked(&duo, DUO_HOOKS);
        while (initsync_parent_dispatch(duo.parent, NULL) == 1)
                usleep(1000);
        assert_int_equal(initsync_parent_resume(duo.parent, 0, NULL), -EALREADY);
        assert_int_equal(initsync_parent_resume(duo.parent, -EIO, NULL), -EALREADY);
        duo.later = DUO_NONE;
        duo_loop(&duo);
        duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_HOOKS, "before the conversation was complete");
        duo_end(&duo);
}

/* Half dead: it closes the socket, and lives. */
static int closes(int socket, void *arg) {
        BARE_CHECK(bare_play(socket, arg) == 0);
        close(socket);
        for (;;)
                pause();
}

static void test_closed_meanwhile(void **state) {
        static const char *const hooks[] = { BARE_HOOKS, NULL };
        static const char *const ready[] = { BARE_READY, NULL };
        enum duo_callback which;
        struct duo duo;

        (void)state;
        for (which = DUO_HOOKS; which <= DUO_READY; which++) {
                duo_init(&duo);
                duo_start(&duo, closes, (void *)(which == DUO_HOOKS ? hooks : ready));
                until_asked(&duo, which);
                duo.later = DUO_NONE;
                duo_loop(&duo);
                duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER,
                           which == DUO_HOOKS ? INITSYNC_STEP_HOOKS : INITSYNC_STEP_READY, NULL);
                assert_true(duo.took_ms < 2000);
                duo_end(&duo);
        }
}

/* Freed while an answer is owed: the child sees the end, and nothing is left. */
static void test_freed_meanwhile(void **state) {
        static const char *const allow[] = { BARE_MOUNT("/"), "<eof", NULL };
        static const char *const hooks[] = { BARE_HOOKS, "<eof", NULL };
        static const char *const ready[] = { BARE_READY, "<eof", NULL };
        static const char *const *const scripts[] = { NULL, allow, hooks, ready };
        enum duo_callback which;
        struct duo duo;

        (void)state;
        for (which = DUO_ALLOW; which <= DUO_READY; which++) {
                duo_init(&duo);
                duo_start(&duo, bare_child, (void *)(uintptr_t)scripts[which]);
                until_asked(&duo, which);
                duo_end(&duo);
                assert_int_equal(duo.status, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_late_answer),
                left_test(test_closed_meanwhile),
                left_test(test_freed_meanwhile),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
