/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <sys/wait.h>
#include "converse.h"
#include "oracle.h"
#include "process.h"

static const unsigned kinds[CONVERSE_KINDS] = {
        0, HANDSHAKE_BY_FD | HANDSHAKE_TRACE, HANDSHAKE_CHILD_FAILS, HANDSHAKE_HOOKS_FAIL,
};
static const int results[CONVERSE_KINDS] = { 0, 0, -EREMOTEIO, -EIO };

int converse_long(void) {
        return getenv("INITSYNC_LONG") != NULL;
}

int converse(struct handshake *handshake, size_t kind, int any) {
        char text[1024];
        int wrong, tries = 0;

        do {
                memset(handshake, 0, sizeof(*handshake));
                handshake->flags = kinds[kind];
                handshake_run(handshake);
                wrong = handshake_judge(handshake, text, sizeof(text));
        } while (!wrong && !any && handshake_busy(handshake) && ++tries < 50);
        if (!any && handshake->parent.result != results[kind])
                wrong++;
        if (wrong)
                printf("# %s%d (%s), %d (%s)\n", text, handshake->parent.result, handshake->parent.error.text,
                       handshake->child.result, handshake->child.error.text);
        return wrong;
}

/* A body has a process to itself; its result is how much went wrong. */
static void apart(int (*body)(void)) {
        static struct oracle before;
        static char left[4096];
        int pid, status, wrong;

        fflush(NULL);
        pid = process_copy();
        if (pid == 0) {
                alarm(converse_long() ? 500 : 240);
                oracle_group();
                oracle_take(&before);
                wrong = body();
                if (oracle_check(&before, left, sizeof(left)))
                        wrong += printf("# %s", left);
                fflush(NULL);
                _exit(wrong != 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(oracle_group_left(pid), 0);
        assert_int_equal(status, 0);
}

void converse_test(void **state) {
        apart((int (*)(void))*state);
}

int converse_main(const char *name, const struct CMUnitTest *tests, size_t n) {
        char text[256];
        int r;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (!oracle_enter()) {
                printf("1..0 # SKIP %s\n", oracle_why());
                return 0;
        }
        handshake_patience = 100;       /* all of them want the processors at once; nothing here ends by a deadline */
        oracle_adopt();
        handshake_places(oracle_dir());
        oracle_settle();
        r = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
        if (oracle_namespaces(text, sizeof(text))) {
                printf("# %s", text);
                return 1;
        }
        return r;
}
