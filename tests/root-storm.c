/* SPDX-License-Identifier: MIT */
/* Others mount, pivot, and use up process numbers as fast as they can: what is asked for comes, and nothing else. */
#include "support/support.h"

#include <initsync.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "support/file.h"
#include "support/forked.h"
#include "support/joined.h"
#include "support/namespace.h"
#include "support/process.h"

#define SHARE_MS 1500
#define ALL_MS 60000            /* with INITSYNC_LONG */
#define STORMS 2
#define PID_MAX "400"           /* the kernel's least is 301 */

static long limit_ms(void) {
        alarm(2 * ALL_MS / 1000);
        return getenv("INITSYNC_LONG") ? ALL_MS : SHARE_MS;
}

static void prepare(void) {
        make_dir(path_of("good"));
        make_file(path_of("good/mine"), 0);
        make_tmpfs(path_of("good/sub"));
        make_file(path_of("good/sub/below"), 0);
}

static void own_namespace(void) {
        assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

/* Also over the very path that is asked for. */
static void mount_for_ever(void) {
        const char *over = path_of("good");

        own_namespace();
        assert(mount("storm", namespace_dir(), "tmpfs", 0, NULL) == 0);
        make_dir(over);
        for (;;) {
                assert(mount("storm", over, "tmpfs", 0, NULL) == 0);
                make_file(path_of("good/stranger"), 0);
                assert(umount2(path_of("good"), MNT_DETACH) == 0);
                over = path_of("good");
        }
}

/* With all directories on the way. */
static void make_way(const char *path) {
        char way[256];
        size_t i;

        snprintf(way, sizeof(way), "%s", path);
        for (i = 1; way[i]; i++)
                if (way[i] == '/') {
                        way[i] = '\0';
                        mkdir(way, 0755);
                        way[i] = '/';
                }
        make_dir(path);
}

static void pivot_for_ever(void) {
        own_namespace();
        for (;;) {
                assert(mount("storm", namespace_dir(), "tmpfs", 0, NULL) == 0 && chdir(namespace_dir()) == 0);
                /* The next has the same path. */
                assert(syscall(SYS_mkdirat, AT_FDCWD, "storm", 0755) == 0 && mount("storm", "storm", "tmpfs", 0, NULL) == 0);
                assert(chdir("storm") == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0);
                assert(chdir("/") == 0);
                make_way(path_of("good"));
                make_file(path_of("good/stranger"), 0);
        }
}

static void storm(pid_t pids[STORMS], void (*body)(void)) {
        int i;

        for (i = 0; i < STORMS; i++) {
                pids[i] = process_fork();
                if (pids[i] == 0) {
                        body();
                        _exit(0);
                }
        }
}

static void calm(const pid_t pids[STORMS]) {
        int i;

        for (i = 0; i < STORMS; i++) {
                assert(waitpid(pids[i], NULL, WNOHANG) == 0);           /* it goes on */
                process_end(pids[i]);
        }
}

/* One that has a namespace of its own, with the source in it, as the container's; a new one each time, as sessions are. */
static void asks(void) {
        struct joined joined;
        char name[256];
        int fd, i;

        joined_start(&joined, prepare);
        for (i = 0; i < 5; i++) {
                snprintf(name, sizeof(name), "%s", path_of("good"));
                assert(joined_post(&joined, NULL, name) == 0);
                fd = joined_receive(&joined, name, sizeof(name));
                assert(strcmp(name, path_of("good")) == 0);
                assert(owner(fd, "mine") == 0 && owner(fd, "stranger") == -1);
                close(fd);
        }
        joined_stop(&joined, -1);
}

static void weather(void (*body)(void)) {
        long end = milliseconds() + limit_ms();
        pid_t pids[STORMS];
        int n = 0;

        storm(pids, body);
        for (; milliseconds() < end; n++)
                asks();
        calm(pids);
        assert(n > 0);
        printf("# %d sessions\n", n);
}

static void mounts(void) {
        weather(mount_for_ever);
}

static void pivots(void) {
        weather(pivot_for_ever);
}

/* ---- numbers of processes that come again within a moment ---- */

static void use_numbers(void) {
        for (;;) {
                pid_t pid = fork();

                if (pid == 0)
                        _exit(0);
                if (pid > 0)
                        waitpid(pid, NULL, 0);
        }
}

/* Whose map the namespace has: looked at from inside. */
static int has_map(int userns, unsigned outside) {
        char text[128], wanted[128];
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                snprintf(wanted, sizeof(wanted), "%10u %10u %10u\n", 0, outside, 1);
                _exit(setns(userns, CLONE_NEWUSER) < 0 || file_read("/proc/self/uid_map", text, sizeof(text)) < 0 ||
                      strcmp(text, wanted) != 0);
        }
        return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The first of a new PID namespace, with its /proc. */
static int wrap(void) {
        long end = milliseconds() + limit_ms();
        struct initsync_error error;
        pid_t pids[STORMS];
        unsigned n = 0;
        int fd, r;

        own_namespace();
        assert(mount("proc", "/proc", "proc", 0, NULL) == 0);
        if (file_write("/proc/sys/kernel/pid_max", PID_MAX) < 0)
                return 2;
        storm(pids, use_numbers);
        for (; milliseconds() < end; n++) {
                const struct initsync_idmap map = { 0, namespace_root() ? 100000 + n % 50000 : geteuid(), 1 };

                r = initsync_userns_open(&map, 1, &map, 1, &fd, &error);
                if (r < 0) {
                        printf("# %s\n", error.text);
                        return 1;
                }
                assert(has_map(fd, map.outside));
                close(fd);
                if (n % 8 == 0)
                        asks();
        }
        calm(pids);
        printf("# %u user namespaces\n", n);
        fflush(stdout);
        return n == 0;
}

/* A limit of the namespace's own: before Linux 6.14 it would be the host's, which is not to be touched. */
static int has_own_limit(void) {
        unsigned major = 0, minor = 0;
        char text[256];

        assert(file_read("/proc/sys/kernel/osrelease", text, sizeof(text)) >= 0);
        assert(sscanf(text, "%u.%u", &major, &minor) == 2);
        return major > 6 || (major == 6 && minor >= 14);
}

static void numbers(void) {
        long pid;
        int status;

        if (SANITIZED_THREADS)
                forked_skip("ThreadSanitizer's own thread forbids what the children here do");
        if (!has_own_limit())
                forked_skip("kernel.pid_max is the whole system's before Linux 6.14");
        pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
        assert(pid >= 0);
        if (pid == 0)
                _exit(wrap());
        assert(waitpid((pid_t)pid, &status, 0) == pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
                forked_skip("kernel.pid_max cannot be set here");
        assert(status == 0);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(mounts, 0),
                FORKED(pivots, 0),
                FORKED(numbers, 0),
        };

        return forked_main(argc, argv, "root-storm", tests, sizeof(tests) / sizeof(tests[0]));
}
