/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/place.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* How a child dies, or does not quite, and what is learnt of it. */

static int may_mount;
static int detached = -1;

static int serve_tmpfs(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->source_fd = detached;
        return 0;
}

/* It says why, with answers unread in its own queue, and dies: the reason comes behind an ECONNRESET (A24). */
static int last_words(int socket, void *arg) {
        static const char *const script[] = { BARE_HOOKS, "~30", BARE_ERROR("out of cheese"), NULL };

        (void)arg;
        return bare_play(socket, script) < 0 ? 1 : 5;
}

static int last_words_after_mounts(int socket, void *arg) {
        static const char *const script[] = { BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"), "~60",
                                              BARE_ERROR("out of cheese"), NULL };

        (void)arg;
        return bare_play(socket, script) < 0 ? 1 : 5;
}

/* More than one message is left behind: that the first of them cannot be answered any more is not the news. */
static int last_words_behind_another(int socket, void *arg) {
        static const char *const script[] = { BARE_HOOKS, "<" BARE_HOOKS_DONE, BARE_READY, BARE_ERROR("out of cheese"),
                                              NULL };

        (void)arg;
        return bare_play(socket, script) < 0 ? 1 : 5;
}

static void words_come_through(int (*run)(int, void *), size_t events, int step) {
        struct pollfd one;
        struct duo duo;
        int i;

        duo_init(&duo);
        duo.on_allow = serve_tmpfs;
        duo_start(&duo, run, NULL);
        /* On a busy machine it may be over by then: with the same result. */
        for (i = 0; i < 3000 && duo.n_events < events && initsync_parent_dispatch(duo.parent, NULL) == 1; i++)
                usleep(1000);
        one = (struct pollfd){ .fd = duo.pidfd, .events = POLLIN };
        assert_int_equal(poll(&one, 1, 5000), 1);
        duo_run(&duo);
        duo_failed(&duo, -EREMOTEIO, INITSYNC_STAGE_PEER, step, "child: out of cheese");
        assert_int_equal(WEXITSTATUS(duo.error.status), 5);
        duo_end(&duo);
}

static void test_last_words(void **state) {
        (void)state;
        words_come_through(last_words, 2, INITSYNC_STEP_PIVOT);
        words_come_through(last_words_behind_another, 2, INITSYNC_STEP_READY);
        if (may_mount)
                words_come_through(last_words_after_mounts, 6, INITSYNC_STEP_MOUNTS);
}

/* How it died is part of the error, whatever killed it. */
static int dies_of(int socket, void *arg) {
        int signal_number = *(int *)arg;

        if (bare_send(socket, BARE_HOOKS) < 0 || bare_expect(socket, BARE_HOOKS_DONE) < 0)
                return 1;
        if (signal_number)
                kill(getpid(), signal_number);
        return 77;
}

static void test_how_it_died(void **state) {
        static const int signals[] = { 0, SIGKILL, SIGTERM, SIGUSR1 };
        static const char *const texts[] = { "exit status 77", "killed by signal 9", "killed by signal 15",
                                             "killed by signal 10" };
        int i, status;

        (void)state;
        for (i = 0; i < 4; i++) {
                struct duo duo;

                duo_init(&duo);
                duo.options.grace_ms = 3000;
                duo_start(&duo, dies_of, (void *)&signals[i]);
                duo_run(&duo);
                duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_PIVOT, texts[i]);
                assert_true(duo.took_ms < 1000);
                assert_int_equal(initsync_parent_child_status(duo.parent, &status), 1);
                assert_int_equal(status, duo.error.status);
                duo_end(&duo);
                assert_int_equal(duo.status, status);
        }
}

/* The main thread ends, another one spins: no end-of-file, and the pidfd keeps silent (A25). */
static void *spin(void *arg) {
        (void)arg;
        for (;;)
                usleep(1000);
        return NULL;
}

static int half_dead(int socket, void *arg) {
        pthread_t thread;

        if (bare_play(socket, arg) < 0 || pthread_create(&thread, NULL, spin, NULL) != 0)
                return 1;
        syscall(SYS_exit, 0);
        return 1;
}

static void test_half_dead(void **state) {
        static const char *const first[] = { NULL };
        static const char *const running[] = { BARE_READY, "<" BARE_RUN, NULL };
        static const char *const telling[] = { BARE_HOOKS, "<" BARE_HOOKS_DONE, "~100", NULL };
        const char *const *scripts[] = { first, running, telling };
        static const int steps[] = { INITSYNC_STEP_MOUNTS, INITSYNC_STEP_RUN, INITSYNC_STEP_PIVOT };
        struct duo duos[3];
        int i;

        (void)state;
#ifdef __SANITIZE_THREAD__
        skip();                 /* a forked process cannot start a thread under it */
#endif
        for (i = 0; i < 3; i++) {
                duo_init(&duos[i]);
                duo_start(&duos[i], half_dead, (void *)scripts[i]);
        }
        duo_all(duos, 3);
        for (i = 0; i < 3; i++) {
                duo_failed(&duos[i], -ECONNRESET, INITSYNC_STAGE_PEER, steps[i], "half dead: its main thread has ended");
                assert_true(duos[i].took_ms < 2200);
                duo_end(&duos[i]);
        }
}

/*
 * The same, deaf, so that what it says is of no use to anybody any more, and says so much that its queue is never empty; and a dead
 * child whose children do that (A25b).
 */
#define FLOODERS 4

/* Longer to read than to send. */
static char flood_packet[32000];

static int deaf(int socket) {
        static const char start[] = "{\"type\":\"procHooks\",\"flags\":0,\"x\":[[]";
        int room = 1 << 24;
        size_t n;

        n = (size_t)snprintf(flood_packet, sizeof(flood_packet), "%s", start);
        while (n + 6 < sizeof(flood_packet))
                n += (size_t)snprintf(flood_packet + n, sizeof(flood_packet) - n, ",[]");
        snprintf(flood_packet + n, sizeof(flood_packet) - n, "]}");
        if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
                setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        alarm(40);              /* where nobody ends it */
        return shutdown(socket, SHUT_RD) == 0 && bare_send(socket, BARE_HOOKS) == 0;
}

/* Without waiting: a sender that waits is woken when the queue is nearly empty. */
static void flood(int socket) {
        size_t n = strlen(flood_packet);

        while (send(socket, flood_packet, n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno == EAGAIN)
                ;
}

static void *floods(void *arg) {
        flood(*(int *)arg);
        for (;;)
                pause();
        return NULL;
}

static int floods_by_threads(int socket, void *arg) {
        static int shared;
        pthread_t thread;
        int i;

        (void)arg;
        shared = socket;
        BARE_CHECK(deaf(socket));
        for (i = 0; i < FLOODERS; i++)
                BARE_CHECK(pthread_create(&thread, NULL, floods, &shared) == 0);
        syscall(SYS_exit, 0);
        return 1;
}

static int floods_by_children(int socket, void *arg) {
        int i;

        (void)arg;
        BARE_CHECK(deaf(socket));
        for (i = 0; i < FLOODERS; i++) {
                if (fork() == 0) {
                        alarm(40);
                        flood(socket);
                        _exit(0);
                }
        }
        return 6;
}

static void flooded(int (*run)(int, void *), const char *text) {
        struct duo duo;

        duo_init(&duo);
        duo_start(&duo, run, NULL);
        duo_run(&duo);
        duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_HOOKS, text);
        assert_in_range(duo.took_ms, 0, 8000);  /* a second and a moment; busy machines */
        duo_end(&duo);
}

static void test_flooded(void **state) {
        (void)state;
        flooded(floods_by_children, "the child died before the conversation was complete (the child: exit status 6)");
#ifndef __SANITIZE_THREAD__
        flooded(floods_by_threads, "half dead: its main thread has ended");
#endif
}

/* A grandchild keeps the socket: the child's death must be noticed without end-of-file (A26, A27). */
struct heir {
        const char *script[6];
        int report;             /* the heir writes here what became of its writes */
};

static int leaves_an_heir(int socket, void *arg) {
        const struct heir *heir = arg;
        char byte = 0;
        int i, r = 0;

        if (bare_play(socket, heir->script) < 0)
                return 1;
        if (fork() != 0)
                return 6;
        for (i = 0; i < 5000 && r == 0; i++) {
                r = bare_send(socket, BARE_HOOKS);
                usleep(500);
        }
        byte = r == -EPIPE ? 'E' : r == -ECONNRESET ? 'R' : 'x';
        if (write(heir->report, &byte, 1) != 1)
                return 1;
        return 0;
}

static void inherit(const struct heir *script, int code, const char *text) {
        struct heir heir = *script;
        int pipes[2];
        struct duo duo;
        char byte;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        heir.report = pipes[1];
        duo_init(&duo);
        duo.keep[duo.n_keep++] = pipes[1];
        duo_start(&duo, leaves_an_heir, &heir);
        close(pipes[1]);
        duo_run(&duo);
        if (code)
                assert_true(duo.result == code || duo.result == -EPROTO);       /* the heir may be heard before the death */
        if (duo.result == code && code)
                duo_failed(&duo, code, INITSYNC_STAGE_PEER, duo.error.step, text);
        assert_true(duo.took_ms < 1500);
        duo_end(&duo);
        /* What the heir says after that meets no one. */
        assert_int_equal(read(pipes[0], &byte, 1), 1);
        assert_true(byte == 'E' || byte == 'R');
        close(pipes[0]);
}

static void test_heirs(void **state) {
        static const struct heir first = { { NULL }, -1 };
        static const struct heir pivot = { { BARE_HOOKS, "<" BARE_HOOKS_DONE, NULL }, -1 };

        (void)state;
        inherit(&first, -ECONNRESET, "the child died before the conversation was complete");
        inherit(&pivot, -ECONNRESET, "the child died before the conversation was complete");
}

/* The same with an heir that is silent, before procRun and after it. */
static int silent_heir(int socket, void *arg) {
        char packet[4096];

        if (bare_play(socket, arg) < 0)
                return 1;
        if (fork() == 0)
                return bare_receive(socket, packet, sizeof(packet), NULL) == 0 ? 0 : 1;
        return 6;
}

static void test_silent_heirs(void **state) {
        static const char *const first[] = { NULL };
        static const char *const running[] = { BARE_READY, "<" BARE_RUN, NULL };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo_start(&duo, silent_heir, (void *)first);
        duo_run(&duo);
        duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS,
                   "the child died before the conversation was complete (the child: exit status 6)");
        assert_true(duo.took_ms < 500);
        duo_end(&duo);
        duo_init(&duo);
        duo_start(&duo, silent_heir, (void *)running);
        duo_run(&duo);
        duo_good(&duo);
        duo_end(&duo);
}

/* A child of the library holds one end of one conversation, however many the runtime has (A28). */
static int lists_sockets(int socket, void *arg) {
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        char path[300], name[64];
        int n = 0;

        (void)arg;
        while ((entry = readdir(dir))) {
                ssize_t length;

                snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
                length = readlink(path, name, sizeof(name) - 1);
                n += atoi(entry->d_name) > 2 && length > 7 && strncmp(name, "socket:", 7) == 0;
        }
        closedir(dir);
        return n == 1 && fcntl(socket, F_GETFD) >= 0 ? 40 : 41;
}

static void test_one_socket(void **state) {
        struct duo duos[3];
        int i;

        (void)state;
        for (i = 0; i < 3; i++) {
                duo_init(&duos[i]);
                duo_start(&duos[i], lists_sockets, NULL);
        }
        duo_all(duos, 3);
        for (i = 0; i < 3; i++) {
                duo_failed(&duos[i], -ECONNRESET, INITSYNC_STAGE_PEER, INITSYNC_STEP_MOUNTS, "exit status 40");
                duo_end(&duos[i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_last_words),
                left_test(test_how_it_died),
                left_test(test_half_dead),
                left_test(test_flooded),
                left_test(test_heirs),
                left_test(test_silent_heirs),
                left_test(test_one_socket),
        };

        may_mount = place_enter() &&
                initsync_feature("open_tree_attr") == 1;   /* the clone of a detached mount: Linux 6.15 */
        if (may_mount)
                detached = place_tmpfs("proof");
        may_mount = detached >= 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
