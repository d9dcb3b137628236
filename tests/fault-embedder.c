/* SPDX-License-Identifier: MIT */
/* A process that makes life hard for a library in it: whole conversations all the same. */
#include "support/support.h"
#include "support/converse.h"
#include "support/nursery.h"
#include "support/handshake_child.h"
#include "support/process.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#define DISTURBERS 64
#define SESSIONS 16             /* at once */
#define ROUNDS 8                /* of each */

static int converse_in(struct handshake *handshake, int rounds) {
        int wrong = 0, i;
        size_t kind;

        for (i = 0; i < rounds; i++)
                for (kind = 0; kind < CONVERSE_KINDS; kind++)
                        wrong += converse(handshake, kind, 0);
        return wrong;
}

static int converse_all(int rounds) {
        struct handshake *handshake = handshake_new();
        int wrong = converse_in(handshake, rounds);

        munmap(handshake, sizeof(*handshake));
        return wrong;
}

static int body_ignored(void) {
        int wrong;

        signal(SIGCHLD, SIG_IGN);
        wrong = converse_all(2);
        signal(SIGCHLD, SIG_DFL);
        return wrong;
}

static int body_no_wait(void) {
        struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
        int wrong;

        sigaction(SIGCHLD, &action, NULL);
        wrong = converse_all(2);
        signal(SIGCHLD, SIG_DFL);
        return wrong;
}

static int over;

static void *reap_all(void *arg) {
        while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST))
                if (waitpid(-1, NULL, __WALL) < 0)
                        usleep(50);
        return arg;
}

/* Takes every process that ends, the library's too. */
static int body_reaper(void) {
        pthread_t thread;
        int wrong;

        assert(pthread_create(&thread, NULL, reap_all, NULL) == 0);
        wrong = converse_all(5);
        __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
        pthread_join(thread, NULL);
        return wrong;
}

static int body_no_stdio(void) {
        int kept[3], i, wrong;

        for (i = 0; i < 3; i++) {
                kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
                close(i);
        }
        wrong = converse_all(2);
        for (i = 0; i < 3; i++) {
                dup2(kept[i], i);
                close(kept[i]);
        }
        return wrong;
}

static void on_alarm(int number) {
        (void)number;
}

static void storm(int us) {
        struct sigaction action = { .sa_handler = on_alarm };   /* no SA_RESTART */
        const struct itimerval every = { { 0, us }, { 0, us } };

        sigaction(SIGPROF, &action, NULL);
        setitimer(ITIMER_PROF, &every, NULL);
        sigaction(SIGVTALRM, &action, NULL);
        sigaction(SIGUSR1, &action, NULL);
}

static pid_t stormed;

static void *throw_signals(void *arg) {
        while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
                process_signal(stormed, SIGUSR1);
                usleep(100);
        }
        return arg;
}

static void storm_in_child(void) {
        storm(100);
}

/* From a thread, at whoever of this process gets it; the child has its own. */
static int body_signals(void) {
        pthread_t thread;
        int wrong;

        storm(100);
        stormed = getpid();
        handshake_in_child = storm_in_child;
        assert(pthread_create(&thread, NULL, throw_signals, NULL) == 0);
        wrong = converse_all(converse_long() ? 2500 : 25);
        __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
        pthread_join(thread, NULL);
        storm(0);
        return wrong;
}

/* What an executed program has: nothing of ours. */
static int count_descriptors(void) {
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        int n = 0;

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && atoi(entry->d_name) > 2 && atoi(entry->d_name) != dirfd(dir))
                        n++;
        if (dir)
                closedir(dir);
        return n;
}

static int leaked, spawned, inherited;

/* Its exit status is how many descriptors it has. */
static int spawn(void) {
        char *const args[] = { (char *)"embedder", (char *)"--descriptors", NULL }, *const environment[] = { NULL };
        int status;
        pid_t pid;

        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environment) != 0)
                return -1;
        return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void *allocate_and_spawn(void *arg) {
        void *blocks[32];
        int k, n;

        while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
                for (k = 0; k < 32; k++)
                        blocks[k] = malloc((size_t)(k + 1) * 100);
                n = spawn();
                __atomic_add_fetch(&spawned, n >= 0, __ATOMIC_SEQ_CST);
                __atomic_add_fetch(&leaked, n > inherited, __ATOMIC_SEQ_CST);
                for (k = 0; k < 32; k++)
                        free(blocks[k]);
        }
        return arg;
}

static int body_threads(void) {
        struct handshake *handshake = handshake_new();
        pthread_t threads[DISTURBERS];
        int i, wrong;

        inherited = spawn();    /* what the test itself was given */
        if (SANITIZED)
                nursery_open();
        for (i = 0; i < DISTURBERS; i++)
                assert(pthread_create(&threads[i], NULL, allocate_and_spawn, NULL) == 0);
        wrong = converse_in(handshake, converse_long() ? 500 : 5);
        __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
        for (i = 0; i < DISTURBERS; i++)
                pthread_join(threads[i], NULL);
        nursery_close();
        munmap(handshake, sizeof(*handshake));
        if (leaked)
                wrong += printf("# %d programs had descriptors of ours\n", leaked);
        printf("# %d programs were executed meanwhile\n", spawned);
        wrong += spawned == 0;
        return wrong;
}

struct session {
        struct handshake *handshake;
        int wrong;
};

static void *talk(void *arg) {
        struct session *session = arg;
        int i;

        for (i = 0; i < ROUNDS * (converse_long() ? 50 : 1); i++)
                session->wrong += converse(session->handshake, (size_t)i % CONVERSE_KINDS, 0);
        return arg;
}

static int body_sessions(void) {
        struct session sessions[SESSIONS] = { { NULL, 0 } };
        pthread_t threads[SESSIONS];
        int i, sum = 0;

        for (i = 0; i < SESSIONS; i++)
                sessions[i].handshake = handshake_new();
        if (SANITIZED)
                nursery_open();
        for (i = 0; i < SESSIONS; i++)
                assert(pthread_create(&threads[i], NULL, talk, &sessions[i]) == 0);
        for (i = 0; i < SESSIONS; i++) {
                pthread_join(threads[i], NULL);
                sum += sessions[i].wrong;
        }
        nursery_close();
        for (i = 0; i < SESSIONS; i++)
                munmap(sessions[i].handshake, sizeof(*sessions[i].handshake));
        return sum;
}

static void test_threads(void **state) {
        if (SANITIZED_THREADS) {
                printf("# skipped: ThreadSanitizer sees no bare close(2)\n");
                skip();
        }
        converse_test(state);
}

#define THREADS(body) { #body, test_threads, NULL, NULL, (void *)body }

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                CONVERSE(body_ignored), CONVERSE(body_no_wait), THREADS(body_reaper), CONVERSE(body_no_stdio),
                THREADS(body_signals), THREADS(body_threads), THREADS(body_sessions),
        };

        if (argc > 1 && strcmp(argv[1], "--descriptors") == 0)
                return count_descriptors();
        return converse_main("fault-embedder", tests, sizeof(tests) / sizeof(tests[0]));
}
