/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/fuse.h"
#include "support/left.h"
#include "support/loop.h"
#include "support/place.h"
#include "support/process.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Many sessions in one process, a process that is killed, and one whose mount request hangs. */

#define SESSIONS 100
#define HOOK_MS 5000
#define LONGEST_MS 60000        /* the hook lasts until all others have ended, or else this long */

static int well_behaved(int socket, void *arg) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fd;

        (void)arg;
        mount.source = "/tmp";
        BARE_CHECK(unshare(CLONE_NEWNS) == 0);
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(initsync_child_mount(child, &mount, &fd, &error) == 0 && place_has(fd, "dir"));
        BARE_CHECK(initsync_child_hooks(child, &error) == 0);
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static int never_reads(int socket, void *arg) {
        int i;

        (void)arg;
        for (i = 0; i < 1000; i++)
                if (bare_send(socket, BARE_MOUNT("/tmp")) < 0)
                        return 1;
        for (;;)
                pause();
}

/* The slow hook is that of session 7, the child that never reads that of session 8; nobody else may notice. */
static void drive(struct duo *duos, int64_t start) {
        struct pollfd polls[SESSIONS];
        int i, open = SESSIONS;

        for (i = 0; i < SESSIONS; i++)
                polls[i] = (struct pollfd){ .fd = initsync_parent_get_fd(duos[i].parent), .events = POLLIN };
        while (open) {
                poll(polls, SESSIONS, 50);
                if (duos[7].later && duo_now() - start >= HOOK_MS && (open == 1 || duo_now() - start >= LONGEST_MS)) {
                        duos[7].later = DUO_NONE;
                        assert_int_equal(initsync_parent_resume(duos[7].parent, 0, NULL), 0);
                }
                for (i = 0; i < SESSIONS; i++) {
                        if (polls[i].fd < 0 || !polls[i].revents)
                                continue;
                        duos[i].result = initsync_parent_dispatch(duos[i].parent, &duos[i].error);
                        if (duos[i].result == 1)
                                continue;
                        duos[i].took_ms = duo_now() - start;
                        polls[i].fd = -1;
                        open--;
                }
        }
}

static void test_a_hundred_sessions(void **state) {
        static struct duo duos[SESSIONS];
        int64_t start = duo_now();
        int i;

        (void)state;
        for (i = 0; i < SESSIONS; i++) {
                duo_init(&duos[i]);
                duos[i].options.flags = INITSYNC_PARENT_ALLOW_ANY_MOUNT;
                duos[i].later = i == 7 ? DUO_HOOKS : DUO_NONE;
                duos[i].options.timeout_ms = i == 8 ? 1000 : 10000;
                duo_start(&duos[i], i == 8 ? never_reads : well_behaved, NULL);
        }
        drive(duos, start);
        for (i = 0; i < SESSIONS; i++) {
                assert_int_equal(duos[i].result, i == 8 ? -ETIMEDOUT : 0);
                assert_true(i == 7 ? duos[i].took_ms >= HOOK_MS : duos[i].took_ms < duos[7].took_ms);
                assert_true(getenv("INITSYNC_PATIENCE") || duos[i].took_ms < (i == 7 ? HOOK_MS + 1000 : 4000));
                duo_end(&duos[i]);
        }
}

/* ---- the runtime is killed: whoever it left behind ends within a second ---- */

struct orphan {
        int report;
};

static int waits_for_hooks(int socket, const struct orphan *orphan) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        int fd, r;
        char byte = 'w';

        options.timeout_ms = INITSYNC_NO_LIMIT;
        mount.source = "/tmp";
        if (unshare(CLONE_NEWNS) < 0 || initsync_child_new(&child, socket, &options, NULL) < 0 ||
            initsync_child_mount(child, &mount, &fd, NULL) < 0 || write(orphan->report, &byte, 1) != 1)
                return 1;
        r = initsync_child_hooks(child, NULL);
        byte = r == -ECONNRESET ? 'r' : 'x';
        return write(orphan->report, &byte, 1) != 1;
}

/* A process with two sessions, both in their hooks when it is killed. Its children do not die by themselves. */
static int runtime(int report) {
        struct duo duos[2];
        struct orphan orphan = { report };
        int i;

        for (i = 0; i < 2; i++) {
                int theirs, keep[2] = { -1, report };

                duo_init(&duos[i]);
                duos[i].options.flags = INITSYNC_PARENT_ALLOW_ANY_MOUNT;
                duos[i].later = DUO_HOOKS;
                if (initsync_pair(&duos[i].socket, &theirs) < 0)
                        return 1;
                duos[i].pid = process_copy();
                if (duos[i].pid == 0) {
                        keep[0] = theirs;
                        initsync_child_only(keep, 2);
                        _exit(waits_for_hooks(theirs, &orphan));
                }
                close(theirs);
                duos[i].pidfd = (int)syscall(SYS_pidfd_open, duos[i].pid, 0);
                if (initsync_parent_new(&duos[i].parent, duos[i].socket, duos[i].pidfd, &duos[i].options, NULL) < 0)
                        return 1;
        }
        for (;;) {
                for (i = 0; i < 2; i++)
                        initsync_parent_dispatch(duos[i].parent, NULL);
                usleep(1000);
        }
}

static void test_runtime_killed(void **state) {
        struct pollfd one;
        int pipes[2], pid, status, i;
        int64_t killed;
        char byte;

        (void)state;
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid = process_copy();
        if (pid == 0)
                _exit(runtime(pipes[1]));
        close(pipes[1]);
        for (i = 0; i < 2; i++) {
                assert_int_equal(read(pipes[0], &byte, 1), 1);
                assert_int_equal(byte, 'w');
        }
        usleep(50000);
        process_signal(pid, SIGKILL);
        killed = duo_now();
        assert_int_equal(waitpid(pid, &status, 0), pid);
        for (i = 0; i < 2; i++) {
                assert_int_equal(read(pipes[0], &byte, 1), 1);
                assert_int_equal(byte, 'r');
        }
        /* end-of-file: nobody has the other end any more, no task of ours either */
        one = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
        assert_int_equal(poll(&one, 1, 1000), 1);
        assert_int_equal(read(pipes[0], &byte, 1), 0);
        assert_true(duo_now() - killed < 1000);
        close(pipes[0]);
}

/* ---- a file server that never answers ---- */

static int asks_fuse(int socket, void *arg) {
        static const char *const script[] = { BARE_MOUNT("/tmp/dir/inside"), "<...procError", "<eof", NULL };

        (void)arg;
        return bare_child(socket, (void *)script);
}

static int hangs(int socket, void *arg) {
        struct duo duo;
        int64_t start;

        (void)socket;
        (void)arg;
        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_ALLOW_ANY_MOUNT;
        duo.options.timeout_ms = 500;
        duo_start(&duo, asks_fuse, NULL);
        duo_run(&duo);
        BARE_CHECK(duo.result == -ETIMEDOUT && duo.error.stage == INITSYNC_STAGE_MOUNT && duo.error.request == 0);
        BARE_CHECK(strcmp(duo.error.path, "/tmp/dir/inside") == 0 && strstr(duo.error.text, "/tmp/dir/inside was not made"));
        BARE_CHECK(duo.took_ms >= 500 && duo.took_ms < 1500);
        start = duo_now();
        duo_end(&duo);
        BARE_CHECK(duo_now() - start < 500 && duo.status == 0);
        BARE_CHECK(initsync_abandoned() == 1);
        return 0;
}

static void test_dead_file_server(void **state) {
        int fd, server, pid, status;
        int64_t start;

        (void)state;
        fd = fuse_mount("/tmp/dir", 0);
        if (fd < 0)
                skip();
        server = process_copy();
        if (server == 0) {
                fuse_serve(fd, 0);
                _exit(0);
        }
        close(fd);
        start = duo_now();
        pid = duo_fork(hangs, 2, NULL, NULL, 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_true(duo_now() - start < 2500);          /* its exit is not held up */
        process_signal(server, SIGKILL);
        assert_int_equal(waitpid(server, &status, 0), server);
        umount2("/tmp/dir", MNT_DETACH);
}

/* ---- nothing of this has touched the process itself, or the host ---- */

static char before[3][64], host_before[1 << 16];

static void look(char (*to)[64], char *mounts, size_t size) {
        static const char *const names[] = { "mnt", "user", "pid" };
        char path[64];
        int i, fd = open("/proc/1/mountinfo", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, mounts, size - 1);

        mounts[n > 0 ? n : 0] = '\0';
        close(fd);
        for (i = 0; i < 3; i++) {
                snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
                n = readlink(path, to[i], 63);
                assert_true(n > 0);
                to[i][n] = '\0';
        }
}

static void test_nothing_moved(void **state) {
        static char after[3][64], host_after[1 << 16];

        (void)state;
        look(after, host_after, sizeof(host_after));
        assert_memory_equal(before, after, sizeof(before));
        assert_string_equal(host_before, host_after);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_a_hundred_sessions),
                left_test(test_runtime_killed),
                left_test(test_dead_file_server),
                left_test(test_nothing_moved),
        };
        struct rlimit limit = { 4096, 4096 };

        if (geteuid() != 0 || !place_enter() || scratch_mount("/tmp") < 0 || mkdir("/tmp/dir", 0755) < 0 ||
            setrlimit(RLIMIT_NOFILE, &limit) < 0) {
                printf("1..0 # SKIP needs root\n");
                return 0;
        }
        look(before, host_before, sizeof(host_before));
        return cmocka_run_group_tests(tests, NULL, NULL);
}
