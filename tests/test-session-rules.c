/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"

/* The rules that hold for every function: arguments, order, ownership, forks, and what the embedder may have done to us. */

static int simple(int socket, void *arg) {
        static const char *const script[] = { BARE_HOOKS, "<" BARE_HOOKS_DONE, BARE_READY, "<" BARE_RUN, NULL };

        (void)arg;
        return bare_child(socket, (void *)script);
}

/* The socket is consumed, the output keeps its poison, the field is named. */
static void wrong_options(const struct initsync_parent_options *options, int code, const char *field) {
        struct initsync_parent *parent = (void *)&code;
        struct initsync_error error;
        int ours, theirs, fds = support_fd_count();

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        close(theirs);
        assert_int_equal(initsync_parent_new(&parent, ours, -1, options, &error), code);
        assert_ptr_equal(parent, &code);
        assert_int_equal(error.code, code);
        assert_int_equal(error.step, -1);
        if (!strstr(error.text, field))
                fail_msg("%s: %s", field, error.text);
        assert_int_equal(support_fd_count(), fds);
}

static void test_parent_options(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct duo duo;

        (void)state;
#define WRONG(member, value, field)                                  \
        do {                                                         \
                duo_init(&duo);                                      \
                duo.options.member = value;                          \
                wrong_options(&duo.options, -EINVAL, field);         \
        } while (0)
        WRONG(size, sizeof(duo.options) - 8, "size");
        WRONG(size, 0, "size");
        WRONG(flags, UINT64_C(1) << 4, "flags");
        WRONG(flags, UINT64_C(1) << 63, "flags");
        WRONG(timeout_ms, -2, "timeout_ms");
        WRONG(work_ms, -2, "work_ms");
        WRONG(budget_ms, INT32_MIN, "budget_ms");
        WRONG(grace_ms, -2, "grace_ms");
        WRONG(rootfs, "relative", "rootfs");
        WRONG(n_mounts, 1, "mounts");
        WRONG(n_mounts, 1025, "n_mounts: expected at most 1024");
        duo_init(&duo);
        wrong_options(&duo.options, -EBADF, "pidfd");
        /* one that is checked after the pidfd */
        duo_init(&duo);
        duo.options.mounts = &mount;
        duo.options.n_mounts = 1;
        duo.options.size = sizeof(duo.options);
        wrong_options(&duo.options, -EBADF, "pidfd");
}

/* Which entry of the list is wrong, and which field. */
static void test_parent_mounts(void **state) {
        struct initsync_mount mounts[2] = { INITSYNC_MOUNT_INIT, INITSYNC_MOUNT_INIT };
        struct initsync_parent *parent = NULL;
        struct initsync_error error;
        int ours, theirs, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        struct duo duo;

        (void)state;
        duo_init(&duo);
        mounts[0].source = "/srv";
        duo.options.mounts = mounts;
        duo.options.n_mounts = 2;
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_parent_new(&parent, ours, pidfd, &duo.options, &error), -EINVAL);
        assert_string_equal(error.text, "options: entry 1: mount: source: expected an absolute path of 1 to 4095 bytes");
        assert_int_equal(error.mount, 1);
        close(theirs);
        mounts[1].source = "/srv";
        mounts[1].userns_fd = file;
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_parent_new(&parent, ours, pidfd, &duo.options, &error), -EINVAL);
        assert_string_equal(error.text, "options: entry 1: mount: userns_fd: expected a user namespace");
        assert_null(parent);
        close(theirs);
        close(pidfd);
        close(file);
}

static void wrong_socket(int socket, int code) {
        struct initsync_parent *parent = NULL;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int again = socket < 0 ? -1 : fcntl(socket, F_DUPFD_CLOEXEC, 3);
        struct duo duo;

        duo_init(&duo);
        assert_int_equal(initsync_parent_new(&parent, socket, -1, &duo.options, &error), code);
        assert_int_equal(initsync_child_new(&child, again, NULL, &error), code);
        assert_int_equal(error.code, code);
        assert_null(parent);
        assert_null(child);
        assert_int_equal(fcntl(again, F_GETFD), -1);
}

static void test_wrong_sockets(void **state) {
        int pair[2];

        (void)state;
        wrong_socket(open("/dev/null", O_RDWR | O_CLOEXEC), -ENOTSOCK);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        close(pair[0]);
        wrong_socket(pair[1], -EPROTOTYPE);
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        close(pair[0]);
        wrong_socket(pair[1], -EPROTOTYPE);
        wrong_socket(-1, -EBADF);
}

static void test_child_options(void **state) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int ours, theirs;

        (void)state;
#define WRONG_CHILD(member, value, field)                                                               \
        do {                                                                                            \
                struct initsync_child_options wrong = options;                                          \
                wrong.member = value;                                                                   \
                assert_int_equal(initsync_pair(&ours, &theirs), 0);                                     \
                assert_int_equal(initsync_child_new(&child, theirs, &wrong, &error), -EINVAL);          \
                assert_non_null(strstr(error.text, field));                                             \
                assert_null(child);                                                                     \
                close(ours);                                                                            \
        } while (0)
        WRONG_CHILD(size, 8, "size");
        WRONG_CHILD(flags, 2, "flags");
        WRONG_CHILD(timeout_ms, -2, "timeout_ms");
        /* the parent's end is closed by it */
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        options.parent_fd = ours;
        assert_int_equal(initsync_child_new(&child, theirs, &options, &error), 0);
        assert_int_equal(fcntl(ours, F_GETFD), -1);
        assert_int_equal(initsync_child_hooks(child, &error), -ECONNRESET);
        assert_null(initsync_child_free(child));
        assert_null(initsync_child_free(NULL));
        assert_null(initsync_parent_free(NULL));
}

#define BUSY(call, step_)                                                                                \
        do {                                                                                             \
                struct initsync_error busy;                                                              \
                BARE_CHECK((call) == -EBUSY);                                                            \
                BARE_CHECK(busy.code == -EBUSY && busy.step == (step_) && busy.stage == INITSYNC_STAGE_PROTOCOL); \
        } while (0)

/* Each call at each step where it has no place; the conversation is none the worse for it. */
static int out_of_order(int socket, void *arg) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child *c = NULL;
        int fd = -7, listener;

        (void)arg;
        mount.source = "/srv";
        BARE_CHECK(initsync_child_new(&c, socket, NULL, NULL) == 0);
        BUSY(initsync_child_prepare_seccomp(c, &busy), INITSYNC_STEP_MOUNTS);
        BUSY(initsync_child_seccomp(c, 3, &busy), INITSYNC_STEP_MOUNTS);
        BARE_CHECK(initsync_child_hooks(c, NULL) == 0);
        BUSY(initsync_child_hooks(c, &busy), INITSYNC_STEP_PIVOT);
        BUSY(initsync_child_mount(c, &mount, &fd, &busy), INITSYNC_STEP_PIVOT);
        BUSY(initsync_child_prepare_seccomp(c, &busy), INITSYNC_STEP_PIVOT);
        BARE_CHECK(initsync_child_ready(c, NULL) == 0);
        BUSY(initsync_child_hooks(c, &busy), INITSYNC_STEP_RUN);
        BUSY(initsync_child_ready(c, &busy), INITSYNC_STEP_RUN);
        BUSY(initsync_child_mounts(c, &mount, 1, &fd, &busy), INITSYNC_STEP_RUN);
        BARE_CHECK(initsync_child_seccomp(c, 3, NULL) == -EBUSY);
        BARE_CHECK(initsync_child_prepare_seccomp(c, NULL) == 0);
        BUSY(initsync_child_prepare_seccomp(c, &busy), INITSYNC_STEP_RUN);
        BUSY(initsync_child_ready(c, &busy), INITSYNC_STEP_RUN);
        BARE_CHECK(initsync_child_seccomp(c, -1, NULL) == -EBADF);
        listener = filter_listener();
        BARE_CHECK(initsync_child_seccomp(c, listener, NULL) == 0);
        BUSY(initsync_child_seccomp(c, listener, &busy), INITSYNC_STEP_EXEC);
        BUSY(initsync_child_hooks(c, &busy), INITSYNC_STEP_EXEC);
        BARE_CHECK(fd == -7);
        initsync_child_free(c);
        return 0;
}

static void test_child_order(void **state) {
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, out_of_order, NULL);
        duo_run(&duo);
        duo_good(&duo);
        assert_int_equal(duo.calls[DUO_SECCOMP], 1);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

/* In a forked process the object is dead, and freeing it there is no one's business. */
static void test_forked(void **state) {
        struct initsync_error error;
        struct duo duo;
        int status, pid, i;

        (void)state;
        duo_init(&duo);
        duo.later = DUO_HOOKS;
        duo_start(&duo, simple, NULL);
        for (i = 0; i < 2000 && !duo.calls[DUO_HOOKS]; i++) {
                assert_int_equal(initsync_parent_dispatch(duo.parent, NULL), 1);
                usleep(1000);
        }
        pid = fork();
        if (pid == 0) {
                int ok = initsync_parent_dispatch(duo.parent, &error) == -ECHILD && error.code == -ECHILD &&
                         initsync_parent_run(duo.parent, &error) == -ECHILD && error.text[0] &&
                         initsync_parent_resume(duo.parent, 0, NULL) == -ECHILD;

                initsync_parent_free(duo.parent);
                _exit(ok && fcntl(duo.socket, F_GETFD) < 0 ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        duo_loop(&duo);
        duo_good(&duo);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

/* A runtime whose stdio is closed: none of our descriptors may take its place (A51). */
static void test_closed_stdio(void **state) {
        int status, pid;

        (void)state;
        pid = fork();
        if (pid == 0) {
                struct initsync_parent *parent = NULL;
                int ours = -1, theirs = -1, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
                struct duo duo;

                duo_init(&duo);
                close(0);
                close(1);
                close(2);
                if (initsync_pair(&ours, &theirs) < 0 || ours < 3 || theirs < 3)
                        _exit(1);
                if (initsync_parent_new(&parent, ours, pidfd, &duo.options, NULL) < 0 || initsync_parent_get_fd(parent) < 3)
                        _exit(2);
                _exit(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0 ? 0 : 3);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static int fails(int socket, void *arg) {
        static const char *const script[] = { BARE_HOOKS, "<" BARE_HOOKS_DONE, BARE_ERROR("no"), NULL };

        (void)arg;
        bare_child(socket, (void *)script);
        return 9;
}

/* Does the pidfd of a process tell how it ended when somebody else has reaped it (Linux 6.15)? */
static int pidfd_remembers(void) {
        struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_EXIT };
        int pid = fork(), pidfd, r;

        if (pid == 0)
                _exit(9);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        assert_int_equal(waitpid(pid, &r, 0), pid);
        r = sys_ioctl(pidfd, SYS_PIDFD_GET_INFO, &info) == 0 && info.mask & SYS_PIDFD_INFO_EXIT;
        close(pidfd);
        return r;
}

/* The embedder's children vanish by themselves, or somebody else reaps them: the result is the same (A50). */
static void test_reaped_by_others(void **state) {
        int mode, i, remembers = pidfd_remembers();
        struct duo duo;

        (void)state;
        for (mode = 0; mode < 3; mode++) {
                struct sigaction ignore = { .sa_handler = mode == 0 ? SIG_IGN : SIG_DFL, .sa_flags = mode == 1
                                            ? SA_NOCLDWAIT : 0 };
                struct pollfd one;

                assert_int_equal(sigaction(SIGCHLD, &ignore, NULL), 0);
                duo_init(&duo);
                duo_start(&duo, fails, NULL);
                if (mode == 2) {
                        for (i = 0; i < 2000 && duo.n_events < 3; i++) {
                                initsync_parent_dispatch(duo.parent, NULL);
                                usleep(1000);
                        }
                        one = (struct pollfd){ .fd = duo.pidfd, .events = POLLIN };
                        poll(&one, 1, 5000);
                        assert_int_equal(waitpid(-1, &i, 0), duo.pid);
                }
                duo_run(&duo);
                duo_failed(&duo, -EREMOTEIO, INITSYNC_STAGE_PEER, INITSYNC_STEP_PIVOT, "child: no");
                if (remembers || duo.error.status != -1)
                        assert_int_equal(WEXITSTATUS(duo.error.status), 9);
                duo_end(&duo);
        }
        signal(SIGCHLD, SIG_DFL);
}

static void on_alarm(int number) {
        (void)number;
}

/* Signals without SA_RESTART, all the time (A53); SIGPIPE at its default (A54). */
static void test_signal_storm(void **state) {
        struct sigaction action = { .sa_handler = on_alarm };
        struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
        int i;

        (void)state;
        assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
        assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
        for (i = 0; i < 100; i++) {
                struct duo duo;

                duo_init(&duo);
                duo_start(&duo, simple, NULL);
                duo_run(&duo);
                duo_good(&duo);
                duo_end(&duo);
        }
        setitimer(ITIMER_REAL, &never, NULL);
        signal(SIGALRM, SIG_DFL);
}

/* errno is no part of the interface. */
static void test_errno_is_left_alone(void **state) {
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, simple, NULL);
        errno = 4711;
        while (initsync_parent_dispatch(duo.parent, &duo.error) == 1)
                assert_int_equal(errno, 4711);
        assert_int_equal(errno, 4711);
        duo.parent = initsync_parent_free(duo.parent);
        assert_int_equal(errno, 4711);
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_parent_options),
                left_test(test_parent_mounts),
                left_test(test_wrong_sockets),
                left_test(test_child_options),
                left_test(test_child_order),
                left_test(test_forked),
                left_test(test_closed_stdio),
                left_test(test_reaped_by_others),
                left_test(test_signal_storm),
                left_test(test_errno_is_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
