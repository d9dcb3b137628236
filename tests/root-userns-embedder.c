/* SPDX-License-Identifier: MIT */
/* initsync_userns_open() in a process with threads, signals, and descriptors of its own: all stay as they were. */
#include "support/support.h"

#include <initsync.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "support/forked.h"
#include "support/process.h"
#include "support/userns.h"

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
                r = userns_open_own(NULL);
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
        userns_works();
        assert(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
        assert(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM) && !sigismember(&now, SIGCHLD));
}

/* As the embedder does, or another library of its own; none of it may cost us a helper. */
static void children_ignored(void) {
        struct sigaction action = { .sa_handler = count, .sa_flags = SA_NOCLDWAIT };
        int i;

        assert(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        for (i = 0; i < 50; i++)
                userns_works();
        assert(sigaction(SIGCHLD, &action, NULL) == 0);
        for (i = 0; i < 50; i++)
                userns_works();
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
                        userns_works();
                __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
                pthread_join(thread, NULL);
        }
}

static void *open_many(void *unused) {
        int i;

        (void)unused;
        for (i = 0; i < 20; i++)
                userns_works();
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
        userns_works();
        for (i = 0; i < 10000; i++)
                close(first + i);
}

static void without_stdio(void) {
        int fd, stdio[3], i;

        for (i = 0; i < 3; i++) {
                stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
                close(i);
        }
        fd = userns_open_own(NULL);
        for (i = 0; i < 3; i++) {
                assert(fcntl(i, F_GETFD) < 0);
                dup2(stdio[i], i);
                close(stdio[i]);
        }
        assert(fd >= 3);
        close(fd);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(nothing_is_left, 0),
                FORKED(signal_blocked_stays, 0),
                FORKED(children_ignored, 0),
                FORKED(reaped_by_a_thread, FORKED_EXEC),
                FORKED(from_threads, FORKED_EXEC),
                FORKED(many_descriptors, 0),
                FORKED(without_stdio, 0),
        };

        return forked_main(argc, argv, "root-userns-embedder", tests, sizeof(tests) / sizeof(tests[0]));
}
