/* SPDX-License-Identifier: MIT */
/* initsync_userns_open(): the maps, what it leaves behind, and every limit that it can meet. */
#include "support/support.h"

#include <initsync.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "mount/userns.h"
#include "support/file.h"
#include "support/deny.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"

#define POISON (-77)

/* What every caller here may map: root anything, an ordinary user himself. */
static struct initsync_idmap own_map(void) {
        return (struct initsync_idmap){ 0, namespace_root() ? 100000 : geteuid(), namespace_root() ? 65536 : 1 };
}

static int open_own(struct initsync_error *reterr) {
        struct initsync_idmap map = own_map();
        int fd = POISON, r = initsync_userns_open(&map, 1, &map, 1, &fd, reterr);

        assert(r <= 0 && (r < 0) == (fd == POISON));
        return r < 0 ? r : fd;
}

static void expect(int code, const char *word) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int r = open_own(&error);

        if (r != code || error.code != code || !strstr(error.text, word))
                fprintf(stderr, "%d, %d: %s\n", r, error.code, error.text);
        assert(r == code && error.code == code && error.stage == INITSYNC_STAGE_USERNS);
        assert(strstr(error.text, word));
}

static void expect_works(void) {
        int fd = open_own(NULL);

        assert(fd >= 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC && userns_check(fd) == 0);
        close(fd);
}

/* Joining needs a process with one thread: it is this program again, which prints the map that it then has. */
static void join(const char *fd, const char *file) {
        char text[16384];

        assert(setns(atoi(fd), CLONE_NEWUSER) == 0);
        assert(file_read(file, text, sizeof(text)) == 0);
        fputs(text, stdout);
        fflush(stdout);
        _exit(0);
}

static void expect_map(int fd, const char *file, const struct initsync_idmap *want, size_t n) {
        struct initsync_idmap got;
        char number[16];
        int out[2], status;
        size_t i = 0;
        FILE *stream;
        pid_t pid;

        snprintf(number, sizeof(number), "%d", fd);
        assert(pipe2(out, O_CLOEXEC) == 0);
        pid = fork();
        if (pid == 0) {
                dup2(out[1], 1);
                fcntl(fd, F_SETFD, 0);
                execl("/proc/self/exe", "test", "join", number, file, NULL);
                _exit(127);
        }
        close(out[1]);
        stream = fdopen(out[0], "r");
        while (fscanf(stream, "%u %u %u", &got.inside, &got.outside, &got.count) == 3) {
                assert(i < n && memcmp(&got, &want[i], sizeof(got)) == 0);
                i++;
        }
        fclose(stream);
        assert(waitpid(pid, &status, 0) == pid && status == 0);
        assert(i == n);
}

static void maps_as_asked(void) {
        const struct initsync_idmap uids[] = { { 0, 100000, 10 }, { 20, 200000, 5 }, { 65534, 300000, 1 } };
        const struct initsync_idmap gids[] = { { 0, 500000, 1 }, { 1, 400000, 7 } };
        int fd;

        assert(initsync_userns_open(uids, 3, gids, 2, &fd, NULL) == 0);
        expect_map(fd, "/proc/self/uid_map", uids, 3);
        expect_map(fd, "/proc/self/gid_map", gids, 2);
        close(fd);
}

static void most_extents(void) {
        struct initsync_idmap map[INITSYNC_IDMAP_MAX + 1];
        int fd = POISON;
        unsigned i;

        for (i = 0; i <= INITSYNC_IDMAP_MAX; i++)
                map[i] = (struct initsync_idmap){ 2 * i, 1000 + 3 * i, 1 };
        assert(initsync_userns_open(map, INITSYNC_IDMAP_MAX + 1, map, 1, &fd, NULL) == -E2BIG && fd == POISON);
        assert(initsync_userns_open(map, INITSYNC_IDMAP_MAX, map, INITSYNC_IDMAP_MAX, &fd, NULL) == 0);
        expect_map(fd, "/proc/self/uid_map", map, INITSYNC_IDMAP_MAX);
        expect_map(fd, "/proc/self/gid_map", map, INITSYNC_IDMAP_MAX);
        close(fd);
}

static void ordinary_user(void) {
        struct initsync_idmap single = { 7, geteuid(), 1 }, others = { 0, 0, 1 };
        int fd = POISON;

        if (namespace_root()) {
                namespace_ordinary();
                single.outside = NAMESPACE_ORDINARY;
                assert(initsync_userns_open(&single, 1, &others, 1, &fd, NULL) == -EPERM && fd == POISON);
                assert(initsync_userns_open(&others, 1, &single, 1, &fd, NULL) == -EPERM && fd == POISON);
        }
        assert(initsync_userns_open(&single, 1, &single, 1, &fd, NULL) == 0);
        assert(userns_check(fd) == 0);
        expect_map(fd, "/proc/self/uid_map", &single, 1);
        close(fd);
        assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
}

static void not_dumpable(void) {
        struct initsync_idmap single = { 7, NAMESPACE_ORDINARY, 1 };
        struct initsync_error error;
        int fd = POISON;

        namespace_ordinary();
        assert(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
        assert(initsync_userns_open(&single, 1, &single, 1, &fd, &error) == -EACCES && fd == POISON);
        assert(strcmp(error.call, "openat2") == 0 && strstr(error.text, "not dumpable"));
        assert(process_none());
}

static volatile sig_atomic_t raised;

static void count(int number) {
        (void)number;
        raised++;
}

static void nothing_is_left(void) {
        static char before[8192], after[8192];
        int i, r, errno_before = errno;

        assert(signal(SIGCHLD, count) != SIG_ERR);
        descriptors(0, before, sizeof(before));
        for (i = 0; i < 50; i++) {
                errno = 12345;
                r = open_own(NULL);
                assert(r >= 3 && errno == 12345);
                close(r);
                assert(process_none());
        }
        errno = errno_before;
        descriptors(0, after, sizeof(after));
        assert(strcmp(before, after) == 0);
        assert(raised == 0);
        assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
}

static void signal_blocked_stays(void) {
        sigset_t set, now;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        assert(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
        expect_works();
        assert(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
        assert(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM) && !sigismember(&now, SIGCHLD));
}

/* As the embedder does, or another library of its own; none of it may cost us a helper. */
static void children_ignored(void) {
        struct sigaction action = { .sa_handler = count, .sa_flags = SA_NOCLDWAIT };
        int i;

        assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        for (i = 0; i < 50; i++)
                expect_works();
        assert(sigaction(SIGCHLD, &action, NULL) == 0);
        for (i = 0; i < 50; i++)
                expect_works();
        assert(raised == 0);
}

static int stop;

static void *wait_for_all(void *options) {
        siginfo_t info;

        while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
                waitid(P_ALL, 0, &info, WEXITED | (int)(long)options);
        return NULL;
}

static void reaped_by_a_thread(void) {
        long options[] = { 0, __WALL };
        pthread_t thread;
        int i, k;

        for (k = 0; k < 2; k++) {
                stop = 0;
                assert(pthread_create(&thread, NULL, wait_for_all, (void *)options[k]) == 0);
                for (i = 0; i < 300; i++)
                        expect_works();
                __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
                pthread_join(thread, NULL);
        }
}

static void *open_many(void *unused) {
        int i;

        (void)unused;
        for (i = 0; i < 20; i++)
                expect_works();
        return NULL;
}

static void from_threads(void) {
        pthread_t threads[16];
        int i;

        for (i = 0; i < 16; i++)
                assert(pthread_create(&threads[i], NULL, open_many, NULL) == 0);
        for (i = 0; i < 16; i++)
                pthread_join(threads[i], NULL);
}

static void many_descriptors(void) {
        struct rlimit limit;
        int i, first;

        assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = limit.rlim_max;
        assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        if (limit.rlim_cur < 11100)
                forked_skip("RLIMIT_NOFILE is %lu, below 11,100", (unsigned long)limit.rlim_cur);
        first = fcntl(0, F_DUPFD_CLOEXEC, 1000);
        for (i = 1; i < 10000; i++)
                assert(fcntl(0, F_DUPFD_CLOEXEC, first) == first + i);
        expect_works();
        for (i = 0; i < 10000; i++)
                close(first + i);
}

static void without_stdio(void) {
        int fd, stdio[3], i;

        for (i = 0; i < 3; i++) {
                stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
                close(i);
        }
        fd = open_own(NULL);
        for (i = 0; i < 3; i++) {
                assert(fcntl(i, F_GETFD) < 0);
                dup2(stdio[i], i);
                close(stdio[i]);
        }
        assert(fd >= 3);
        close(fd);
}

static void no_descriptors(void) {
        static char before[8192], after[8192];
        struct rlimit limit, low;
        int steps, r;

        assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        descriptors(0, before, sizeof(before));
        low = limit;
        low.rlim_cur = 3;
        /* One more at a time, until it works: at each step another call is the one that fails. */
        for (steps = 0; steps < 64; steps++) {
                assert(setrlimit(RLIMIT_NOFILE, &low) == 0);
                r = open_own(NULL);
                if (r >= 0)
                        break;
                assert(r == -EMFILE);
                low.rlim_cur++;
        }
        assert(r >= 3);
        close(r);
        assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        descriptors(0, after, sizeof(after));
        assert(strcmp(before, after) == 0 && steps >= 4);
}

/* LeakSanitizer wants a process more at exit. */
static void no_processes(void) {
        struct rlimit limit = { 0, 0 };

        if (namespace_root())
                namespace_ordinary();
        assert(setrlimit(RLIMIT_NPROC, &limit) == 0);
        expect(-EAGAIN, "clone");
        assert(process_none());
        _exit(0);
}

static void no_user_namespaces(void) {
        unsigned uid = geteuid(), gid = getegid();

        assert(unshare(CLONE_NEWUSER) == 0);
        namespace_map(uid, gid);
        if (file_write("/proc/sys/user/max_user_namespaces", "0") < 0)
                forked_skip("/proc/sys is read-only here");
        expect(-ENOSPC, "user.max_user_namespaces");
        assert(process_none());
        _exit(0);
}

static void not_permitted(void) {
        deny_call_if(SYS_clone, 0, CLONE_NEWUSER | CLONE_VM | CLONE_FILES | SYS_CLONE_PIDFD, EPERM);
        expect(-EPERM, "clone");
        /* A helper that cannot be killed is not started. */
        deny_call(NR_pidfd_send_signal, ENOSYS);
        expect(-ENOSYS, "");
        assert(process_none());
}

static void no_pidfd_ioctl(void) {
        struct initsync_idmap map = own_map();
        int fd;

        deny_call_if(SYS_ioctl, 1, SYS_PIDFD_GET_USER_NAMESPACE, ENOTTY);
        assert(initsync_userns_open(&map, 1, &map, 1, &fd, NULL) == 0);
        expect_map(fd, "/proc/self/uid_map", &map, 1);
        close(fd);
}

/* Where /proc will not do, one is made for the purpose; where none can be made either, that is all. */
static void expect_private(int possible) {
        int status;
        pid_t pid;

        if (possible)
                expect_works();
        else
                expect(-ENOSYS, "/proc");
        pid = fork();
        if (pid == 0) {
                deny_call(SYS_fsopen, EPERM);
                expect(-ENOSYS, "/proc");
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && status == 0);
}

static void other_proc(void) {
        const int root = namespace_root();      /* asked of /proc */
        char number[16];
        int status;
        pid_t pid;

        make_tmpfs(path_of("fake"));
        snprintf(number, sizeof(number), "%d", getpid());
        assert(symlink(number, path_of("fake/self")) == 0);     /* it does its best */
        assert(mount(path_of("fake"), "/proc", NULL, MS_BIND, NULL) == 0);
        expect_private(root);                   /* others do not own the pid namespace */
        assert(umount2("/proc", MNT_DETACH) == 0);
        assert(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0);
        expect_private(root);
        assert(umount2("/proc", MNT_DETACH) == 0);
        /* In a new pid namespace /proc is still that of the old one, where our numbers are others'. */
        pid = fork();
        if (pid == 0) {
                assert(unshare(CLONE_NEWPID) == 0);
                pid = fork();
                if (pid == 0) {
                        expect_private(1);
                        _exit(0);
                }
                assert(waitpid(pid, &status, 0) == pid);
                _exit(status != 0);
        }
        assert(waitpid(pid, &status, 0) == pid && status == 0);
        umount(path_of("fake"));
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(maps_as_asked, FORKED_ROOT),
                FORKED(most_extents, FORKED_ROOT),
                FORKED(ordinary_user, FORKED_EXEC),
                FORKED(not_dumpable, FORKED_EXEC | FORKED_ROOT),
                FORKED(nothing_is_left, 0),
                FORKED(signal_blocked_stays, 0),
                FORKED(children_ignored, 0),
                FORKED(reaped_by_a_thread, FORKED_EXEC),
                FORKED(from_threads, FORKED_EXEC),
                FORKED(many_descriptors, 0),
                FORKED(without_stdio, 0),
                FORKED(no_descriptors, 0),
                FORKED(no_processes, FORKED_EXEC),
                FORKED(no_user_namespaces, FORKED_EXEC),
                FORKED(not_permitted, 0),
                FORKED(no_pidfd_ioctl, 0),
                FORKED(other_proc, 0),
        };

        if (argc == 4 && strcmp(argv[1], "join") == 0)
                join(argv[2], argv[3]);
        return forked_main(argc, argv, "root-userns", tests, sizeof(tests) / sizeof(tests[0]));
}
