/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/oracle.h"
#include "support/process.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Each kind of leak, planted: a judge that lets one of them pass proves nothing. */

static struct oracle before;
static char left[8192];

static void begin(void) {
        oracle_take(&before);
}

/* @word is in what is told, and not any more once it is @undone. */
static void sees(const char *word) {
        assert_true(oracle_check(&before, left, sizeof(left)) > 0);
        if (!strstr(left, word)) {
                fprintf(stderr, "# no \"%s\" in: %s\n", word, left);
                fail();
        }
}

static void sees_nothing(void) {
        if (oracle_check(&before, left, sizeof(left))) {
                fprintf(stderr, "# %s\n", left);
                fail();
        }
}

static void test_descriptor(void **state) {
        int fd, zero = dup(0);

        (void)state;
        begin();
        sees_nothing();
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        sees("/dev/null");
        assert_int_equal(dup2(1, fd), fd);
        assert_true(oracle_check(&before, left, sizeof(left)) > 0);
        close(fd);
        sees_nothing();
        close(zero);
        sees("gone: descriptor");
}

/* As many as before are not the same as before. */
static void test_descriptor_replaced(void **state) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), other;

        (void)state;
        begin();
        other = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        assert_int_equal(dup2(other, fd), fd);
        close(other);
        sees("/dev/zero");
        assert_non_null(strstr(left, "gone: descriptor"));
        close(fd);
}

static int child(unsigned long flags) {
        long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

        if (pid == 0)
                for (;;)
                        syscall(SYS_pause);
        return (int)pid;
}

static void end(int pid) {
        process_signal(pid, SIGKILL);
        waitpid(pid, NULL, __WALL);
}

static void test_process(void **state) {
        int pid;

        (void)state;
        begin();
        pid = child(SIGCHLD);
        sees("left: process");
        assert_non_null(strstr(left, "children alive"));
        process_signal(pid, SIGKILL);
        waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
        sees("left: zombie");
        waitpid(pid, NULL, 0);
        sees_nothing();
        pid = child(0);         /* no SIGCHLD, as the library's own tasks */
        sees("left: process");
        end(pid);
}

/* Nobody's child any more, and it closed everything. */
static void test_orphan(void **state) {
        int pid, pair[2], orphan = -1;

        (void)state;
        begin();
        assert_int_equal(pipe(pair), 0);
        pid = process_copy();
        if (pid == 0) {
                orphan = child(SIGCHLD);
                _exit(write(pair[1], &orphan, sizeof(orphan)) != sizeof(orphan));
        }
        assert_int_equal(read(pair[0], &orphan, sizeof(orphan)), sizeof(orphan));
        waitpid(pid, NULL, 0);
        close(pair[0]);
        close(pair[1]);
        sees("left: process");
        process_signal(orphan, SIGKILL);
        sees_nothing();
}

static void *wait_for(void *arg) {
        char byte;

        return read(*(int *)arg, &byte, 1) < 0 ? arg : NULL;
}

static void test_thread(void **state) {
        pthread_t thread;
        int pair[2];

        (void)state;
        if (SANITIZED_THREADS)
                skip();         /* it has a thread of its own, which comes when the first is made */
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        begin();
        assert_int_equal(pthread_create(&thread, NULL, wait_for, &pair[0]), 0);
        sees("left: thread");
        assert_int_equal(write(pair[1], "", 1), 1);
        pthread_join(thread, NULL);
        sees_nothing();
        close(pair[0]);
        close(pair[1]);
}

static void test_stack_of_a_task(void **state) {
        char *area;

        (void)state;
        begin();
        area = mmap(NULL, 4 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_int_equal(mprotect(area + 65536, 65536, PROT_NONE), 0);
        sees("stack of a task");
        munmap(area, 4 * 65536);
        sees_nothing();
}

static void test_mount(void **state) {
        (void)state;
        begin();
        assert_int_equal(mount("planted", oracle_dir(), "tmpfs", 0, NULL), 0);
        sees("planted");
        assert_int_equal(umount(oracle_dir()), 0);
        sees_nothing();
}

/* Into the queue of @socket, and nowhere else any more. */
static void carry(int socket, int fd) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
        char byte = 'x';
        struct iovec part = { &byte, 1 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        assert_int_equal(sendmsg(socket, &message, 0), 1);
        close(fd);
}

static void test_unix_socket(void **state) {
        int pair[2], carried[2];
        char byte;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        begin();
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, carried), 0);
        carry(pair[0], carried[0]);
        close(carried[1]);
        sees("left: unix socket");
        assert_int_equal(recv(pair[1], &byte, 1, 0), 1);        /* which drops it */
        sees_nothing();
        close(pair[0]);
        close(pair[1]);
}

static int namespaces_left(const char *word) {
        return oracle_namespaces(left, sizeof(left)) && strstr(left, word);
}

/* Without a process and, the second time, without a descriptor of ours. */
static void test_namespaces(void **state) {
        static const struct {
                unsigned long flag;
                const char *file, *word;
        } kinds[] = { { CLONE_NEWUSER, "user", "user namespace" }, { CLONE_NEWNS, "mnt", "mount namespace" } };
        char path[64];
        size_t i;
        int pid, fd, pair[2];

        (void)state;
        for (i = 0; i < 2; i++) {
                assert_int_equal(oracle_namespaces(left, sizeof(left)), 0);
                pid = child(kinds[i].flag | SIGCHLD);
                snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kinds[i].file);
                fd = open(path, O_RDONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                end(pid);
                assert_true(namespaces_left(kinds[i].word));
                assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
                carry(pair[0], fd);
                assert_true(namespaces_left(kinds[i].word));
                close(pair[0]);
                close(pair[1]);
                assert_int_equal(oracle_namespaces(left, sizeof(left)), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_descriptor),
                cmocka_unit_test(test_descriptor_replaced),
                cmocka_unit_test(test_process),
                cmocka_unit_test(test_orphan),
                cmocka_unit_test(test_thread),
                cmocka_unit_test(test_stack_of_a_task),
                cmocka_unit_test(test_mount),
                cmocka_unit_test(test_unix_socket),
                cmocka_unit_test(test_namespaces),
        };

        if (!oracle_enter()) {
                printf("1..0 # SKIP %s\n", oracle_why());
                return 0;
        }
        oracle_group();
        oracle_patience_ms = 200;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
