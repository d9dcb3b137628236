/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/left.h"

#include <dirent.h>
#include <initsync.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "support/namespace.h"

/*
 * Another thread of the embedder executes programs at any time (A52): none of them gets a descriptor of the library's, not even in
 * the moment between its creation and a flag that is set later.
 */

#define LIST "list-descriptors"

extern char **environ;
static int stop;

/* What the program that is executed has, beside its standard streams. */
static int list(void) {
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        int n = 0, fd;

        while (dir && (entry = readdir(dir))) {
                fd = atoi(entry->d_name);
                n += fd > 2 && fd != dirfd(dir);
        }
        if (!dir)
                return 100;
        closedir(dir);
        return n < 100 ? n : 100;
}

static int execute(void) {
        char name[] = "/proc/self/exe", option[] = LIST, *argv[] = { name, option, NULL };
        int status;
        pid_t pid;

        if (posix_spawn(&pid, name, NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
                return 200;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 300;
}

static void *storm(void *unused) {
        int worst = 0, got, i;

        (void)unused;
        for (i = 0; i < 100 || !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
                got = execute();
                worst = got > worst ? got : worst;
                if (i >= 100)
                        usleep(1000);
        }
        return (void *)(intptr_t)worst;
}

/* What the test itself inherited, a make's job server for one, is not the library's. */
static void close_on_exec(void) {
        DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;

        assert(dir);
        while ((entry = readdir(dir)))
                if (atoi(entry->d_name) > 2)
                        fcntl(atoi(entry->d_name), F_SETFD, FD_CLOEXEC);
        closedir(dir);
}

static void converse(void) {
        struct initsync_parent_options options = { .size = sizeof(options) };
        struct initsync_child_options child_options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_parent *parent = NULL;
        struct initsync_child *child = NULL;
        int ours, theirs, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        assert_int_equal(initsync_parent_new(&parent, ours, pidfd, &options, NULL), 0);
        assert_int_equal(initsync_child_new(&child, theirs, &child_options, NULL), 0);
        assert_int_equal(initsync_parent_dispatch(parent, NULL), 1);
        initsync_child_free(child);
        initsync_parent_free(parent);
        close(pidfd);
}

static void map_and_mount(void) {
        struct initsync_idmap map = { 0, namespace_root() ? 100000 : geteuid(), 1 };
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        int fd;

        if (initsync_userns_open(&map, 1, &map, 1, &fd, NULL) == 0)
                close(fd);
        mount.source = "/tmp";
        if (initsync_mount_open(&mount, &fd, NULL) == 0)
                close(fd);
}

static void during(void (*run)(void), int times) {
        pthread_t thread;
        void *worst;
        int i;

        stop = 0;
        close_on_exec();
        assert_int_equal(pthread_create(&thread, NULL, storm, NULL), 0);
        for (i = 0; i < times; i++)
                run();
        __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
        pthread_join(thread, &worst);
        assert_int_equal((intptr_t)worst, 0);
}

static void nothing(void) {
}

static void test_conversations(void **state) {
        (void)state;
        during(converse, 10000);
}

static void test_sources(void **state) {
        (void)state;
        during(map_and_mount, 1000);
}

/* The program that is executed does tell. */
static void test_a_leak_is_seen(void **state) {
        int fds[2];

        (void)state;
        close_on_exec();
        assert_int_equal(execute(), 0);
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(execute(), 2);
        close(fds[0]);
        close(fds[1]);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                left_test(test_a_leak_is_seen),
                left_test(test_conversations),
                left_test(test_sources),
        };

        if (argc == 2 && strcmp(argv[1], LIST) == 0)
                return list();
        during(nothing, 1);     /* the stack of a thread stays with the C library, for the next one */
        return cmocka_run_group_tests(tests, NULL, NULL);
}
