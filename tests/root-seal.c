/* SPDX-License-Identifier: MIT */
/* Sealing: what counts as sealed and withstands attacks, and what an overlay costs. */
#include "support/support.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "exe/exe.h"
#include "kernel/syscalls.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/seal_task.h"
#include "support/sealing.h"

/* ---- what counts as sealed -------------------------------------------------- */

/* Over namespace_dir(), with the file "program" in it. */
static int overlay(unsigned attributes, const char *upper) {
        int context = sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC), dir, mount_fd;

        assert(context >= 0);
        dir = open(namespace_dir(), O_PATH | O_CLOEXEC);
        assert(sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, dir) == 0);
        close(dir);
        if (upper) {
                assert(sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, "upperdir", path_of("%s/upper", upper), 0) == 0);
                assert(sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, "workdir", path_of("%s/work", upper), 0) == 0);
        } else {
                dir = open(path_of("upper"), O_PATH | O_CLOEXEC);
                assert(sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, dir) == 0);
                close(dir);
        }
        assert(sys_fsconfig(context, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
        mount_fd = sys_fsmount(context, SYS_FSMOUNT_CLOEXEC, attributes);
        assert(mount_fd >= 0);
        close(context);
        return mount_fd;
}

static void expect_sealed(int mount_fd, int sealed) {
        int fd = openat(mount_fd, "program", O_PATH | O_CLOEXEC);

        assert(fd >= 0);
        if (exe_sealed(fd) != sealed)
                fprintf(stderr, "%d instead of %d\n", exe_sealed(fd), sealed);
        assert(exe_sealed(fd) == sealed);
        close(fd);
}

static void counts(void) {
        const unsigned all = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV;
        unsigned attribute;
        int mount_fd;

        seal_need_overlay();
        make_file(path_of("program"), geteuid());
        make_tmpfs(path_of("upper"));
        make_dir(path_of("upper/upper"));
        make_dir(path_of("upper/work"));
        for (attribute = 0; attribute < 8; attribute++) {
                mount_fd = overlay(attribute, NULL);
                /* Without an upper layer the file system is read-only itself. */
                expect_sealed(mount_fd, (attribute | SYS_MOUNT_ATTR_RDONLY) == all);
                close(mount_fd);
        }
        mount_fd = overlay(all & ~(unsigned)SYS_MOUNT_ATTR_RDONLY, "upper");
        expect_sealed(mount_fd, 0);
        close(mount_fd);
        /* In the mount namespace it is anybody's to remount. */
        mount_fd = overlay(all, NULL);
        expect_sealed(mount_fd, 1);
        make_dir(path_of("place"));
        assert(sys_move_mount(mount_fd, "", AT_FDCWD, path_of("place"), SYS_MOVE_MOUNT_F_EMPTY_PATH) == 0);
        expect_sealed(mount_fd, 0);
        close(mount_fd);
}

/* An image's process that gets at a runtime, and at what it held on to when that has ended. */
static void attacked(enum initsync_seal how) {
        char pause_text[] = "pause", test[] = "test", *argv[] = { test, pause_text, NULL }, exe[64], kept[64], link[4096];
        int fd = seal(how, NULL), held, status;
        pid_t pid = process_fork();

        if (pid == 0) {
                syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
                _exit(127);
        }
        snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
        do
                memset(link, 0, sizeof(link));
        while (readlink(exe, link, sizeof(link) - 1) > 0 && strcmp(link, how == INITSYNC_SEAL_OVERLAY ? "/root-seal" :
                                                                   "/memfd:root-seal (deleted)") != 0);
        held = open(exe, O_PATH | O_CLOEXEC);
        assert(held >= 0 && seal_unchangeable(exe) >= 11);
        snprintf(kept, sizeof(kept), "/proc/self/fd/%d", held);
        process_signal(pid, SIGKILL);
        assert(waitpid(pid, &status, 0) == pid);
        close(fd);
        assert(seal_unchangeable(kept) >= 11 && seal_same(kept, SEAL_OWN));
        close(held);
}

static void attacks(const char *path) {
        (void)path;
        if (seal_has_overlay())
                attacked(INITSYNC_SEAL_OVERLAY);
        attacked(INITSYNC_SEAL_MEMFD);
}

/* The same attacks on a file that is not sealed do get through. */
static void attacks_work(void) {
        int status;
        pid_t pid;

        seal_execute(seal_copy(SEAL_OWN, path_of("root-seal"), SEAL_SMALL), "attacks");
        pid = process_fork();
        if (pid == 0) {
                assert(freopen("/dev/null", "w", stderr));
                seal_unchangeable(path_of("root-seal"));
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- what it costs ---------------------------------------------------------- */

#define ROUNDS 21

static int compare(const void *a, const void *b) {
        return *(const long *)a < *(const long *)b ? -1 : *(const long *)a > *(const long *)b;
}

static long nanoseconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* The middle one of several, for the parent. */
static void is_timed(const char *path) {
        long times[ROUNDS], i, start;
        int fds[ROUNDS];
        char text[32];

        for (i = 0; i < ROUNDS; i++) {
                start = nanoseconds();
                assert(initsync_exe_seal(INITSYNC_SEAL_OVERLAY, &fds[i], NULL) == 0);
                times[i] = nanoseconds() - start;
        }
        for (i = 0; i < ROUNDS; i++)
                close(fds[i]);
        qsort(times, ROUNDS, sizeof(times[0]), compare);
        snprintf(text, sizeof(text), "%ld", times[ROUNDS / 2]);
        assert(file_write(path_of("%s.time", strrchr(path, '/') + 1), text) == 0);
}

static void timed(const char *name, long *best) {
        char text[32];
        long time;

        seal_execute(path_of("%s", name), "is timed");
        assert(file_read(path_of("%s.time", name), text, sizeof(text)) == 0);
        time = atol(text);
        if (*best == 0 || time < *best)
                *best = time;
}

/* A copy would take 160 times as long; whatever else the machine does meanwhile may hold up either of them. */
static void costs(void) {
        long small = 0, large = 0;
        int i;

        seal_need_overlay();
        make_file(path_of("small.time"), geteuid());
        make_file(path_of("large.time"), geteuid());
        seal_copy(SEAL_OWN, path_of("small"), SEAL_SMALL);
        seal_copy(SEAL_OWN, path_of("large"), SEAL_LARGE);
        for (i = 0; i < 10; i++) {
                timed("small", &small);
                timed("large", &large);
        }
        printf("# an executable of %ld MiB: %ld us, the test itself: %ld us\n", SEAL_LARGE >> 20, large / 1000,
               small / 1000);
        assert(large <= 20 * small);
}

static const struct seal_task tasks[] = {
        { "attacks", attacks },
        { "is timed", is_timed },
};

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(counts, 0),
                FORKED(attacks_work, 0),
                FORKED(costs, 0),
        };

        seal_main(argc, argv);
        seal_tasks(argc, argv, tasks, sizeof(tasks) / sizeof(tasks[0]));
        return forked_main(argc, argv, "root-seal", tests, sizeof(tests) / sizeof(tests[0]));
}
