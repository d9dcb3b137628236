/* SPDX-License-Identifier: MIT */
/* The mount task by itself: what it serves, how, and what it holds. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/joined.h"
#include "support/namespace.h"
#include "support/process.h"

static char name[256];

static void forty_directories(void) {
        int i;

        for (i = 0; i < 40; i++) {
                make_dir(path_of("%d", i));
                make_file(path_of("%d/is-%d", i, i), 0);
        }
}

static int post_number(struct joined *joined, int i) {
        static char paths[40][128];

        snprintf(paths[i], sizeof(paths[i]), "%.100s", path_of("%d", i));
        return joined_post(joined, NULL, paths[i]);
}

static void receive_number(struct joined *joined, int i) {
        char file[16];
        int fd = joined_receive(joined, name, sizeof(name));

        snprintf(file, sizeof(file), "is-%d", i);
        assert(strcmp(name, path_of("%d", i)) == 0 && owner(fd, file) == 0);
        close(fd);
}

static void in_order(void) {
        struct joined joined;
        int i;

        joined_start(&joined, forty_directories);
        assert(broker_collect(&joined.broker) == NULL && broker_pending(&joined.broker) == 0);
        for (i = 0; i < SERVER_SLOTS; i++)
                assert(post_number(&joined, i) == 0);
        /* None is free before it has been collected, although the task is done with all of them. */
        while (__atomic_load_n(&joined.broker.server->slots[SERVER_SLOTS - 1].state, __ATOMIC_ACQUIRE) != SERVER_DONE)
                usleep(1000);
        assert(post_number(&joined, i) == -EAGAIN);
        assert(broker_pending(&joined.broker) <= SERVER_SLOTS);
        for (i = 0; i < SERVER_SLOTS; i++)
                receive_number(&joined, i);
        assert(broker_pending(&joined.broker) == 0);
        for (i = 0; i < SERVER_SLOTS; i++) {
                const struct server_slot *slot = broker_collect(&joined.broker);

                assert(slot && slot->request.path && strcmp(slot->request.path, path_of("%d", i)) == 0 && slot->time_ns);
        }
        assert(broker_collect(&joined.broker) == NULL && broker_failed(&joined.broker) == NULL);
        for (; i < 40; i++) {
                assert(post_number(&joined, i) == 0);
                receive_number(&joined, i);
        }
        joined_stop(&joined, -1);
}

static void wait_room(struct joined *joined) {
        struct pollfd wait = { .fd = joined->broker.control, .events = POLLIN };

        while (!broker_room(&joined->broker)) {
                broker_wake(&joined->broker, 1);
                while (broker_collect(&joined->broker))
                        ;
                if (broker_room(&joined->broker))
                        break;
                assert(poll(&wait, 1, 20000) == 1);
                assert(broker_drain(&joined->broker) == 0);
                while (broker_collect(&joined->broker))
                        ;
        }
        broker_wake(&joined->broker, 0);
}

/* A thousand, through the smallest of queues: the task waits for the child, the broker for the task, none is lost. */
static void a_thousand(void) {
        struct joined joined;
        int i, posted = 0, least = 1;

        joined_start(&joined, forty_directories);
        assert(setsockopt(joined.sockets[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
        for (i = 0; i < 1000; i++) {
                while (posted < 1000 && posted - i < SERVER_SLOTS - 1) {
                        wait_room(&joined);
                        assert(post_number(&joined, posted++ % 40) == 0);
                }
                receive_number(&joined, i % 40);
                while (broker_collect(&joined.broker))
                        ;
        }
        joined_stop(&joined, -1);
}

static void own_map(void) {
        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 3);
}

static void descriptors_go_along(void) {
        const struct initsync_idmap map = { 0, 100000, 65536 };
        struct source_request request = { .path = "", .userns_fd = -1, .source_fd = -1, .any_view = 1 };
        struct joined joined;
        char path[256], before[8192], after[8192];
        int i, fd;

        snprintf(path, sizeof(path), "%.200s", path_of("source"));
        request.path = path;
        assert(initsync_userns_open(&map, 1, &map, 1, &request.userns_fd, NULL) == 0);
        joined_start(&joined, own_map);
        for (i = 0; i < 3; i++) {
                assert(broker_post(&joined.broker, &request, path, strlen(path)) == 0);
                fd = joined_receive(&joined, name, sizeof(name));
                assert(owner(fd, "file") == 100003);
                close(fd);
                /* Once it waits again the task has closed what this request was about. */
                while (joined.broker.collected != joined.broker.posted)
                        broker_collect(&joined.broker);
                while (__atomic_load_n(&joined.broker.server->slots[i].state, __ATOMIC_ACQUIRE) != SERVER_DONE)
                        usleep(1000);
                descriptors(joined_task(&joined), i ? after : before, sizeof(before));
        }
        assert(strcmp(before, after) == 0);
        close(request.userns_fd);
        joined_stop(&joined, -1);
}

/* A user namespace with a mark is sent once: what comes with the same mark is not even looked at. */
static void marked_namespace_stays(void) {
        static const struct {
                int fd;
                unsigned mark;
                uid_t owner;
        } steps[] = { { 0, 1, 100003 }, { 1, 1, 100003 }, { 1, 2, 200003 }, { 0, 0, 100003 }, { 0, 2, 200003 }, { 0, 3, 100003 } };
        struct source_request request = { .userns_fd = -1, .source_fd = -1, .any_view = 1 };
        struct joined joined;
        char path[256];
        int fds[2], fd;
        size_t i;

        snprintf(path, sizeof(path), "%.200s", path_of("source"));
        request.path = path;
        for (i = 0; i < 2; i++) {
                const struct initsync_idmap map = { 0, 100000 * ((uint32_t)i + 1), 65536 };

                assert(initsync_userns_open(&map, 1, &map, 1, &fds[i], NULL) == 0);
        }
        joined_start(&joined, own_map);
        for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                request.userns_fd = fds[steps[i].fd];
                request.userns_mark = steps[i].mark;
                assert(broker_post(&joined.broker, &request, path, strlen(path)) == 0);
                fd = joined_receive(&joined, name, sizeof(name));
                assert(owner(fd, "file") == (long)steps[i].owner);
                close(fd);
                while (broker_collect(&joined.broker))
                        ;
        }
        close(fds[0]);
        close(fds[1]);
        joined_stop(&joined, -1);
}

/* A28, and what other sessions of this process would miss: their ends of file. */
static void holds_nothing_else(void) {
        char text[8192];
        struct pollfd end;
        struct joined joined;
        int i, others[50], pair[2], pidfd, child = joined_child(NULL, &pidfd);
        struct broker broker;

        joined_start(&joined, forty_directories);
        for (i = 0; i < 50; i++)
                others[i] = fcntl(0, F_DUPFD_CLOEXEC, 3 + 7 * i);
        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        broker_stop(&joined.broker, -1);
        assert(broker_start(&joined.broker, joined.sockets[0], joined.pidfd, JOINED_ANSWER, strlen(JOINED_ANSWER)) == 0);
        broker_init(&broker);
        assert(broker_start(&broker, joined.sockets[0], pidfd, "", 0) == 0);
        assert(post_number(&joined, 0) == 0);
        receive_number(&joined, 0);
        for (i = 0; i < 1000 && descriptors(joined_task(&joined), text, sizeof(text)) != 6; i++)
                usleep(1000);           /* what it sent is about to be closed */
        assert(descriptors(joined_task(&joined), text, sizeof(text)) == 6);       /* and root directory, mount namespace of the runtime */
        for (i = 0; i < 1000 && descriptors(process_pid(broker.task), text, sizeof(text)) != 4; i++)
                usleep(1000);
        assert(descriptors(process_pid(broker.task), text, sizeof(text)) == 4);
        close(pair[1]);
        end = (struct pollfd){ .fd = pair[0], .events = POLLIN };
        assert(poll(&end, 1, 5000) == 1 && end.revents & POLLHUP);
        close(pair[0]);
        for (i = 0; i < 50; i++)
                close(others[i]);
        broker_stop(&broker, -1);
        joined_stop(&joined, -1);
        close(pidfd);
        process_end(child);
}

static void without_close_range(void) {
        deny_call(NR_close_range, ENOSYS);
        holds_nothing_else();
}

static int lines(const char *path) {
        FILE *file = fopen(path, "re");
        int c, n = 0;

        assert(file);
        while ((c = getc(file)) != EOF)
                n += c == '\n';
        fclose(file);
        return n;
}

/* A43: no thread of ours goes anywhere, none is made, and no mapping stays. */
static void leaves_us_alone(void) {
        char before[256], after[256], here[256];
        struct stat one, two;
        struct joined joined;
        unsigned char resident;
        void *page;
        int threads;

        assert(stat("/proc/self/task", &one) == 0);
        threads = (int)one.st_nlink;
        assert(readlink("/proc/thread-self/ns/mnt", before, sizeof(before)) > 0);
        assert(stat("/", &one) == 0 && getcwd(here, sizeof(here)));
        joined_start(&joined, forty_directories);
        page = (void *)((uintptr_t)joined.broker.server & ~(uintptr_t)4095);
        assert(post_number(&joined, 0) == 0);
        receive_number(&joined, 0);
        assert(stat("/proc/self/task", &two) == 0 && (int)two.st_nlink == threads);
        assert(readlink("/proc/thread-self/ns/mnt", after, sizeof(after)) > 0 && memcmp(before, after, 16) == 0);
        assert(stat("/", &two) == 0 && one.st_ino == two.st_ino && one.st_dev == two.st_dev);
        assert(getcwd(after, sizeof(after)) && strcmp(after, here) == 0);
        assert(owner(AT_FDCWD, path_of("0")) == -1);            /* the child's tmpfs, not ours */
        assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
        assert(mincore(page, 1, &resident) == 0);
        joined_stop(&joined, -1);
        assert(mincore(page, 1, &resident) < 0 && errno == ENOMEM);
        assert(process_none());
}

static void many_starts(void) {
        struct joined joined;
        int i, maps = 0, pidfd, child = joined_child(forty_directories, &pidfd), pair[2];

        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        for (i = 0; i < 200; i++) {
                broker_init(&joined.broker);
                assert(broker_start(&joined.broker, pair[0], pidfd, "", 0) == 0);
                if (i == 0)
                        maps = lines("/proc/self/maps");
                broker_stop(&joined.broker, -1);
        }
        assert(lines("/proc/self/maps") <= maps + 4);
        close(pair[0]);
        close(pair[1]);
        close(pidfd);
        process_end(child);
}

/* Also while a process that was forked meanwhile keeps a copy of the embedder's end. */
static void quits_when_done(int with_copy) {
        struct joined joined;
        int task, i, copy = 0;

        joined_start(&joined, forty_directories);
        if (with_copy && (copy = process_fork()) == 0)
                for (;;)
                        pause();
        for (i = 0; i < 8; i++)
                assert(post_number(&joined, i) == 0);
        task = sys_pidfd_open(joined_task(&joined));
        broker_quit(&joined.broker);
        for (i = 0; i < 8; i++)
                receive_number(&joined, i);
        assert(process_gone(task, 5000));
        close(task);
        if (with_copy)
                process_end(copy);
        joined_stop(&joined, -1);
}

static void quits(void) {
        quits_when_done(0);
        quits_when_done(1);
}

static void failure_is_told(void) {
        const struct server_slot *slot;
        struct joined joined;
        int r;

        joined_start(&joined, forty_directories);
        assert(post_number(&joined, 0) == 0);
        assert(joined_post(&joined, NULL, "/does/not/exist") == 0);
        r = post_number(&joined, 1);
        assert(r == 0 || r == -EPIPE || r == -ECONNRESET);      /* the task may have failed, and ended, by now */
        receive_number(&joined, 0);
        slot = joined_failed(&joined);
        assert(slot->result.error == -ENOENT && slot->result.call == SOURCE_OPENAT2);
        /* Nothing after a failure: the next answer would be taken for that of the failed request. */
        assert(process_gone(joined.broker.task, 5000));
        assert(recv(joined.sockets[1], name, sizeof(name), MSG_DONTWAIT) < 0 && errno == EAGAIN);
        joined_stop(&joined, -1);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(in_order, 0),
                FORKED(a_thousand, 0),
                FORKED(descriptors_go_along, FORKED_ROOT),
                FORKED(marked_namespace_stays, FORKED_ROOT),
                FORKED(holds_nothing_else, 0),
                FORKED(without_close_range, 0),
                FORKED(leaves_us_alone, 0),
                FORKED(many_starts, 0),
                FORKED(quits, 0),
                FORKED(failure_is_told, 0),
        };

        return forked_main(argc, argv, "root-broker", tests, sizeof(tests) / sizeof(tests[0]));
}
