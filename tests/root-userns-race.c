/* SPDX-License-Identifier: MIT */
/* initsync_userns_open() while somebody kills its helper, takes its number, or kills its parent. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "mount/userns.h"
#include "support/file.h"
#include "support/deny.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"

#define POISON (-77)

/* From <linux/sched.h>, which does not go together with <sched.h> everywhere. */
struct clone_request {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static enum userns_stage when;
static int stranger;            /* who got the helper's number */
static int calls;

static int open_one(struct initsync_error *reterr) {
        struct initsync_idmap map = { 0, namespace_root() ? 100000 : geteuid(), 1 };
        int fd = POISON, r = initsync_userns_open(&map, 1, &map, 1, &fd, reterr);

        assert((r < 0) == (fd == POISON));
        return r < 0 ? r : fd;
}

static void expect_died(int reaped) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int r;

        calls = 0;
        r = open_one(&error);
        /* The files of a zombie are its own still: where the ioctl, which refuses it, is not there, nothing is wrong. */
        if (r >= 0 && !reaped && initsync_feature("pidfd_namespaces") != 1) {
                assert(calls > 0 && process_none());
                close(r);
                return;
        }
        if (r != -ESRCH)
                fprintf(stderr, "at stage %d: %d: %s\n", (int)when, error.code, error.text);
        assert(error.code == -ESRCH);
        assert(calls > 0 && error.code == -ESRCH && error.stage == INITSYNC_STAGE_USERNS);
        assert(strstr(error.text, "killed"));
        assert(process_none());
        userns_test_stage = NULL;
        close(open_one(NULL));          /* it may be tried again */
}

static void kill_helper(enum userns_stage at, int pid, int pidfd) {
        (void)pid;
        if (at != when)
                return;
        calls++;
        assert(sys_pidfd_send_signal(pidfd, SIGKILL) == 0 && process_gone(pidfd, 5000));
}

static void reap_helper(enum userns_stage at, int pid, int pidfd) {
        siginfo_t info;

        if (at != when)
                return;
        kill_helper(at, pid, pidfd);
        assert(waitid(P_ALL, 0, &info, WEXITED | __WALL) == 0 && info.si_pid == pid);
}

static void killed(void) {
        for (when = USERNS_CLONED; when <= USERNS_WRITTEN; when++) {
                userns_test_stage = kill_helper;
                expect_died(0);
        }
}

static void stop_helper(enum userns_stage at, int pid, int pidfd) {
        siginfo_t info;

        (void)pid;
        if (at != when)
                return;
        calls++;
        assert(sys_pidfd_send_signal(pidfd, SIGSTOP) == 0);
        assert(sys_waitid(SYS_P_PIDFD, pidfd, &info, WSTOPPED | WNOWAIT | __WALL) == 0 && info.si_code == CLD_STOPPED);
}

/* It does nothing but be there, which it does stopped as well; it must be gone all the same. */
static void stopped(void) {
        long start = milliseconds();
        int fd;

        for (when = USERNS_CLONED; when <= USERNS_WRITTEN; when++) {
                userns_test_stage = stop_helper;
                calls = 0;
                fd = open_one(NULL);
                assert(fd >= 0 && calls > 0 && process_none());
                close(fd);
        }
        assert(milliseconds() - start < 5000);
}

static void killed_and_reaped(void) {
        for (when = USERNS_CLONED; when <= USERNS_WRITTEN; when++) {
                userns_test_stage = reap_helper;
                expect_died(1);
        }
}

/* The number goes to a process with a user namespace of its own: its map files must stay empty, its namespace its own. */
static void replace_helper(enum userns_stage at, int pid, int pidfd) {
        pid_t number = pid;
        struct clone_request request = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number,
                                         .set_tid_size = 1 };

        if (at != when)
                return;
        reap_helper(at, pid, pidfd);
        stranger = (int)syscall(435 /* clone3 */, &request, sizeof(request));
        if (stranger == 0)
                for (;;)
                        syscall(SYS_pause);
        assert(stranger == pid);
}

static void number_of_a_stranger(void) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        char name[64], map[128];
        int r;

        /* Without the ioctl, so that the number alone leads to the namespace. */
        deny_call_if(SYS_ioctl, 1, SYS_PIDFD_GET_USER_NAMESPACE, ENOTTY);
        for (when = USERNS_CLONED; when <= USERNS_WRITTEN; when++) {
                userns_test_stage = replace_helper;
                r = open_one(&error);
                snprintf(name, sizeof(name), "/proc/%d/uid_map", stranger);
                assert(file_read(name, map, sizeof(map)) == 0);
                process_end(stranger);          /* first: it would wait for ever */
                assert(r == -ESRCH && map[0] == '\0');
                assert(process_none());
        }
}

/* A35: what the /proc of this namespace shows instead of the helper's map file. */
static void cover_map(enum userns_stage at, int pid, int pidfd) {
        char name[64];

        (void)pidfd;
        snprintf(name, sizeof(name), "/proc/%d/%s", pid, calls ? "gid_map" : "uid_map");
        if (at == USERNS_CLONED)
                assert(mount(path_of("fake"), name, NULL, MS_BIND, NULL) == 0);
}

static void covered_maps(void) {
        struct initsync_error error = INITSYNC_ERROR_INIT;

        make_file(path_of("fake"), 0);
        userns_test_stage = cover_map;
        for (calls = 0; calls < 2; calls++) {
                assert(open_one(&error) == -EXDEV);
                assert(strcmp(error.call, "openat2") == 0 && strcmp(error.path, calls ? "gid_map" : "uid_map") == 0);
                assert(process_none());
        }
}

static int tell;

static void die(enum userns_stage at, int pid, int pidfd) {
        (void)pidfd;
        if (at != when)
                return;
        assert(write(tell, &pid, sizeof(pid)) == (ssize_t)sizeof(pid));
        kill(getpid(), SIGKILL);
}

/* The helper is then a child of ours, who takes in orphans. It may or may not have asked for its signal by then. */
static void parent_killed(void) {
        int pair[2], pid, helper, round, status;
        siginfo_t info;

        assert(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
        for (round = 0; round < 60; round++) {
                assert(pipe2(pair, O_CLOEXEC) == 0);
                pid = fork();
                if (pid == 0) {
                        when = round % 3;
                        tell = pair[1];
                        userns_test_stage = die;
                        open_one(NULL);
                        _exit(1);
                }
                close(pair[1]);
                assert(read(pair[0], &helper, sizeof(helper)) == (ssize_t)sizeof(helper));
                close(pair[0]);
                assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
                /* Without the defence it waits for ever, and so would we. */
                for (status = 0; status < 1000 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0; status++)
                        usleep(1000);
                if (!process_none()) {
                        process_end(helper);
                        assert(!"the helper outlived its parent");
                }
        }
}

/* A47, A48: the helper is one process with one thread that waits; it is not there once the call has returned. */
static void look_at_helper(enum userns_stage at, int pid, int pidfd) {
        char name[64], text[512];
        int i;

        (void)pidfd;
        if (at != USERNS_WRITTEN)
                return;
        calls++;
        snprintf(name, sizeof(name), "/proc/%d/stat", pid);
        for (i = 0; i < 1000; i++) {
                assert(file_read(name, text, sizeof(text)) == 0);
                if (strstr(text, ") S "))
                        break;
                usleep(1000);
        }
        snprintf(name, sizeof(name), ") S %d ", getpid());
        assert(strstr(text, name));
        stranger = pid;
}

static void helper_is_gone(void) {
        int fd;

        userns_test_stage = look_at_helper;
        fd = open_one(NULL);
        assert(fd >= 3 && calls == 1);
        assert(kill(stranger, 0) < 0 && errno == ESRCH);
        close(fd);
}

static int tracer;

static void trace_helper(enum userns_stage at, int pid, int pidfd) {
        (void)pidfd;
        if (at == USERNS_WRITTEN)
                tracer = process_trace(pid);
}

/* Its end is shown to the tracer alone, which looks at nothing: nobody waits for that, and it is reaped later. */
static void traced(void) {
        int fd, before = support_fd_count(), pid, status, i;

        userns_test_stage = trace_helper;
        alarm(20);
        fd = open_one(NULL);
        assert(initsync_abandoned() == 1);
        pid = process_copy();
        if (pid == 0)
                _exit((int)initsync_abandoned());       /* these are its parent's */
        assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert(initsync_abandoned() == 1);
        process_end(tracer);
        for (i = 0; i < 500 && initsync_abandoned(); i++)
                usleep(10000);
        assert(initsync_abandoned() == 0);
        close(fd);
        assert(support_fd_count() == before && process_none());
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(killed, 0),
                FORKED(stopped, 0),
                FORKED(killed_and_reaped, 0),
                FORKED(number_of_a_stranger, FORKED_ROOT),
                FORKED(covered_maps, 0),
                FORKED(parent_killed, 0),
                FORKED(helper_is_gone, 0),
                FORKED(traced, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-userns-race", tests, sizeof(tests) / sizeof(tests[0]));
}
