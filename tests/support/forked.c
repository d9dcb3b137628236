/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <sys/wait.h>
#include "deny.h"
#include "forked.h"
#include "kernel/syscalls.h"
#include "namespace.h"
#include "process.h"

#define SKIPPED 77
#define SECONDS 120             /* a body that hangs is a failure */

static const struct CMUnitTest *all;
static size_t n_all;

void forked_skip(const char *format, ...) {
        va_list args;

        printf("# skipped: ");
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        fflush(stdout);
        _exit(SKIPPED);
}

static void run(const struct forked *test) {
        const char *patience = getenv("INITSYNC_PATIENCE");
        static char before[16384], after[16384];

        /* An emulated processor needs more. */
        alarm(SECONDS * (patience ? (unsigned)atoi(patience) : 1));
        namespace_again();
        if (test->flags & FORKED_OLD)
                deny_call(NR_open_tree_attr, ENOSYS);
        descriptors(0, before, sizeof(before));
        test->body();
        if (test->flags & FORKED_KEEPS)
                _exit(0);
        descriptors(0, after, sizeof(after));
        if (strcmp(before, after) != 0)
                fprintf(stderr, "descriptors before:\n%safter:\n%s", before, after);
        assert(strcmp(before, after) == 0);
        assert(process_none());
        exit(0);
}

static const char *name_of(const struct forked *test) {
        size_t i;

        for (i = 0; i < n_all; i++)
                if (all[i].initial_state == test)
                        return all[i].name;
        return "";
}

void forked_test(void **state) {
        const struct forked *test = *state;
        int status;
        pid_t pid;

        if (test->flags & FORKED_ROOT && !namespace_root()) {
                printf("# skipped: %s needs root of the initial user namespace\n", name_of(test));
                skip();
        }
        fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (test->flags & FORKED_EXEC) {
                        execl("/proc/self/exe", "test", name_of(test), NULL);
                        _exit(127);
                }
                run(test);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
                skip();
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGABRT)
                printf("# killed by signal %d\n", WTERMSIG(status));
        assert_int_equal(status, 0);
}

int forked_main(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t n) {
        size_t i;
        int failed;

        all = tests;
        n_all = n;
        for (i = 0; argc > 1 && i < n; i++)
                if (strcmp(tests[i].name, argv[1]) == 0)
                        run(tests[i].initial_state);
        if (argc > 1)
                return 2;
        namespace_enter();
        failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
        return namespace_leave() < 0 ? 1 : failed;
}
