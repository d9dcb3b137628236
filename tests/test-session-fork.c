/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/place.h"
#include "support/process.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A runtime that forks, and that makes pid namespaces for its containers. */

static int may_mount;

/* In a process of its own: what it does to its namespaces stays there. */
static void apart(int (*run)(void)) {
        int pid, status;

        fflush(NULL);
        pid = process_fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(run());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* ---- a copy of a parent object is dead, also where its pid is the original's ---- */

static int is_dead(struct initsync_parent *parent) {
        struct initsync_error error;
        int status;

        BARE_CHECK(getpid() == 1);
        BARE_CHECK(initsync_parent_dispatch(parent, &error) == -ECHILD);
        BARE_CHECK(strstr(error.text, "another process"));
        BARE_CHECK(initsync_parent_run(parent, &error) == -ECHILD);
        BARE_CHECK(initsync_parent_resume(parent, 0, NULL) == -ECHILD);
        BARE_CHECK(initsync_parent_get_fd(parent) == -ECHILD && initsync_parent_timeout_ms(parent) == -ECHILD);
        BARE_CHECK(initsync_parent_child_status(parent, &status) == -ECHILD);
        return initsync_parent_free(parent) != NULL;
}

static int allow(const struct initsync_mount *asked, struct initsync_mount *ret_serve, void *userdata,
                 struct initsync_error *reterr) {
        (void)asked, (void)ret_serve, (void)userdata, (void)reterr;
        return 0;
}

/* The copy is freed between two mounts, whose task is the original's. */
static int as_init(void) {
        static const char *const script[] = { BARE_MOUNT("/tmp"), "<" BARE_MOUNT_FD, "<fd", "~150", BARE_MOUNT("/tmp"),
                                              "<" BARE_MOUNT_FD, "<fd", BARE_READY, "<" BARE_RUN, NULL };
        const struct initsync_parent_options options = { .size = sizeof(options), .timeout_ms = 5000, .allow = allow };
        struct initsync_parent *parent = NULL;
        struct initsync_error error;
        int ours, theirs, child, pidfd, copy, status, i, r;

        BARE_CHECK(getpid() == 1 && initsync_pair(&ours, &theirs) == 0);
        child = duo_fork(bare_child, theirs, (void *)(may_mount ? script : script + 7), NULL, 0);
        close(theirs);
        pidfd = (int)syscall(SYS_pidfd_open, child, 0);
        BARE_CHECK(initsync_parent_new(&parent, ours, pidfd, &options, &error) == 0);
        for (i = 0; may_mount && i < 70; i++, usleep(1000))
                BARE_CHECK(initsync_parent_dispatch(parent, &error) == 1);
        BARE_CHECK(unshare(CLONE_NEWPID) == 0);
        copy = fork();
        if (copy == 0)
                _exit(is_dead(parent));
        BARE_CHECK(waitpid(copy, &status, 0) == copy && status == 0);
        r = initsync_parent_run(parent, &error);
        if (r < 0)
                fprintf(stderr, "# %s\n", error.text);
        BARE_CHECK(r == 0);
        initsync_parent_free(parent);
        BARE_CHECK(waitpid(child, &status, 0) == child && status == 0);
        return 0;
}

static int with_an_init(void) {
        int pid, status;

        BARE_CHECK(unshare(CLONE_NEWPID) == 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                _exit(as_init());
        }
        BARE_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        return 0;
}

static void test_copy_with_the_same_pid(void **state) {
        (void)state;
        if (!may_mount)
                skip();                 /* no pid namespace either */
        apart(with_an_init);
}

/* ---- after unshare(CLONE_NEWPID) nothing is started that would be the new namespace's init ---- */

static int refuses_all(struct duo *duo) {
        static const struct initsync_idmap map[] = { { 0, 0, 1 } };
        struct initsync_error error;
        int fd = -1;

        BARE_CHECK(initsync_userns_open(map, 1, map, 1, &fd, &error) == -EINVAL && fd == -1);
        BARE_CHECK(strstr(error.text, "CLONE_NEWPID"));
        duo_run(duo);
        if (duo->result != -EINVAL)
                fprintf(stderr, "# %d: %s\n", duo->result, duo->error.text);
        BARE_CHECK(duo->result == -EINVAL);
        return 0;
}

/* The first process is its init, the second lives beside it: had a task of ours been the first there would be no second. */
static int forks_into(int first_pid) {
        int i, status, pids[2];

        for (i = 0; i < 2; i++) {
                pids[i] = fork();
                BARE_CHECK(pids[i] >= 0);
                if (pids[i] == 0 && i + first_pid == 1)
                        for (;;)
                                pause();
                if (pids[i] == 0)
                        _exit(getpid() == i + first_pid ? 0 : 9);
        }
        BARE_CHECK(waitpid(pids[1], &status, 0) == pids[1] && status == 0);
        process_signal(pids[0], SIGKILL);
        BARE_CHECK(waitpid(pids[0], &status, 0) == pids[0]);
        return 0;
}

static void prepare(struct duo *duo) {
        duo_init(duo);
        duo->options.flags = INITSYNC_PARENT_NO_KILL;
}

static const char *const asks[] = { BARE_MOUNT("/tmp"), "<...procError", "<eof", ".", NULL };

static int before_the_first_fork(void) {
        struct duo duo;

        prepare(&duo);
        duo_start(&duo, bare_child, (void *)asks);
        BARE_CHECK(unshare(CLONE_NEWPID) == 0);
        if (refuses_all(&duo) || forks_into(1))
                return 1;
        process_signal(duo.pid, SIGKILL);
        duo_end(&duo);
        return 0;
}

static int after_the_first_fork(void) {
        struct duo duo;

        prepare(&duo);
        BARE_CHECK(unshare(CLONE_NEWPID) == 0);
        duo_start(&duo, bare_child, (void *)asks);      /* this one is its init */
        if (refuses_all(&duo) || forks_into(2))
                return 1;
        process_signal(duo.pid, SIGKILL);
        duo_end(&duo);
        return 0;
}

static void test_unshared_before(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        apart(before_the_first_fork);
}

static void test_unshared_after(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        apart(after_the_first_fork);
}

/* ---- a forked copy of the parent's socket ---- */

static int speaks_on(int socket, void *arg) {
        int i;

        if (bare_play(socket, arg) < 0)
                return 1;
        for (i = 0; i < 40; i++) {
                if (send(socket, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE)
                        return 0;
                usleep(20000);
        }
        return 5;
}

static void with_a_copy(const char *const *script, int to_the_end) {
        struct duo duo;
        int copy;

        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_NO_KILL;
        duo_start(&duo, speaks_on, (void *)script);
        copy = process_fork();
        if (copy == 0)
                for (;;)
                        pause();
        if (to_the_end) {
                duo_run(&duo);
                duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_MOUNTS, "procRun out of order");
                process_gone(duo.pidfd, 1000);
        }
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
        process_end(copy);
}

static void test_socket_after_the_end(void **state) {
        static const char *const script[] = { BARE_RUN, "<...procError", "<eof", NULL };

        (void)state;
        with_a_copy(script, 1);         /* before the object is freed */
}

static void test_socket_when_freed(void **state) {
        static const char *const script[] = { "<eof", NULL };

        (void)state;
        with_a_copy(script, 0);
}

int main(void) {
#ifdef __SANITIZE_THREAD__
        /* Its thread of its own forbids the forked children here what they are about: namespaces, and closing what hangs. */
        puts("1..0 # SKIP ThreadSanitizer's own thread forbids what the children here do");
        return 0;
#endif
        const struct CMUnitTest tests[] = {
                left_test(test_copy_with_the_same_pid),
                left_test(test_unshared_before),
                left_test(test_unshared_after),
                left_test(test_socket_after_the_end),
                left_test(test_socket_when_freed),
        };

        may_mount = place_enter() && mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
        if (!may_mount)
                print_message("# no namespaces here: %s\n", place_why());
        return cmocka_run_group_tests(tests, NULL, NULL);
}
