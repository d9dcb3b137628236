/* SPDX-License-Identifier: MIT */
/* The mount task: killed, orphaned, hung in a dead file server, without its child. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/fuse.h"
#include "support/joined.h"
#include "support/namespace.h"
#include "support/process.h"

static void nothing(void) {
}

static void killed_from_outside(void) {
        struct joined joined;
        struct pollfd wait;

        joined_start(&joined, nothing);
        wait = (struct pollfd){ .fd = joined.broker.control, .events = POLLIN };
        assert(broker_drain(&joined.broker) == 0 && poll(&wait, 1, 50) == 0);
        assert(process_signal(joined_task(&joined), SIGKILL) == 0);
        assert(poll(&wait, 1, 5000) == 1);
        assert(broker_drain(&joined.broker) == -ESRCH);
        assert(broker_failed(&joined.broker) == NULL);
        joined_stop(&joined, -1);
        assert(process_none());
}

/* By a waitpid() of the embedder's that takes what is not its own. */
static void reaped_from_outside(void) {
        struct joined joined;
        int task;

        joined_start(&joined, nothing);
        task = joined_task(&joined);
        assert(process_signal(task, SIGKILL) == 0);
        assert(waitpid(task, NULL, __WALL) == task);
        joined_stop(&joined, -1);
}

/* It answers nothing then; the session's deadline ends it, and what was asked of it is pending until then. */
static void stopped_from_outside(void) {
        struct joined joined;
        long start_ms;

        joined_start(&joined, nothing);
        assert(process_signal(joined_task(&joined), SIGSTOP) == 0);
        usleep(20000);
        assert(joined_post(&joined, NULL, "/etc") == 0);
        usleep(50000);
        assert(broker_pending(&joined.broker) == 1);
        start_ms = milliseconds();
        joined_stop(&joined, 5000);
        assert(milliseconds() - start_ms < 1000 && initsync_abandoned() == 0);
        assert(process_none());
}

/* Its end is shown to the tracer alone. */
static void traced_from_outside(void) {
        struct joined joined;
        long start_ms;
        int tracer, i;

        joined_start(&joined, nothing);
        tracer = process_trace(joined_task(&joined));
        alarm(20);
        start_ms = milliseconds();
        joined_stop(&joined, 2000);
        assert(milliseconds() - start_ms < 1500 && initsync_abandoned() == 1);
        process_end(tracer);
        for (i = 0; i < 500 && initsync_abandoned(); i++)
                usleep(10000);
        assert(initsync_abandoned() == 0 && process_none());
}

static void child_is_dead(void) {
        const struct server_slot *slot;
        struct joined joined;

        joined_start(&joined, nothing);
        process_signal(joined.child, SIGKILL);
        assert(process_gone(joined.pidfd, 5000));
        assert(joined_post(&joined, NULL, "/") == 0);
        slot = joined_failed(&joined);
        assert(slot->result.error == -ESRCH && slot->result.call == SOURCE_SETNS);
        joined_stop(&joined, -1);
}

static void nobody_receives(void) {
        const struct server_slot *slot;
        struct joined joined;

        joined_start(&joined, nothing);
        close(joined.sockets[1]);
        joined.sockets[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert(joined_post(&joined, NULL, "/etc") == 0);
        slot = joined_failed(&joined);
        assert(slot->result.error == -EPIPE && slot->result.call == SOURCE_SENDMSG);
        joined_stop(&joined, -1);
}

/* The embedder of the tests below is a process of its own, so that it can die. */
static struct joined session;
static int tell;

static pid_t embedder(int (*run)(void), int *ret_said) {
        int pair[2];
        pid_t pid;

        assert(pipe2(pair, O_CLOEXEC) == 0);
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                close(pair[0]);
                tell = pair[1];
                _exit(run());
        }
        close(pair[1]);
        *ret_said = pair[0];
        return pid;
}

static int hear(int said) {
        struct pollfd wait = { .fd = said, .events = POLLIN };
        int word;

        assert(poll(&wait, 1, 10000) == 1 && read(said, &word, sizeof(word)) == (ssize_t)sizeof(word));
        return word;
}

static void say(int word) {
        assert(write(tell, &word, sizeof(word)) == (ssize_t)sizeof(word));
}

static int start(void) {
        broker_init(&session.broker);
        return broker_start(&session.broker, session.sockets[0], session.pidfd, JOINED_ANSWER, strlen(JOINED_ANSWER));
}

static int start_and_wait(void) {
        assert(start() == 0);
        say(joined_task(&session));
        for (;;)
                pause();
}

static pid_t copy;

/* A copy that a fork made holds all of the embedder's descriptors, the task's end of file among them. */
static int start_fork_and_wait(void) {
        assert(start() == 0);
        copy = fork();
        if (copy == 0)
                for (;;)
                        pause();
        say(joined_task(&session));
        say(copy);
        for (;;)
                pause();
}

static int start_post_and_wait(void) {
        assert(start() == 0);
        assert(joined_post(&session, NULL, "/etc") == 0);
        say(joined_task(&session));
        for (;;)
                pause();
}

static int start_and_leave(void) {
        assert(start() == 0);
        say(joined_task(&session));
        return 0;
}

/* A task has no parent that must wait for it: here it is a subreaper that sees whether one is left. */
static void orphaned_by(int (*run)(void), int by_kill) {
        int said, task, pidfd, gone;
        pid_t pid;

        assert(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
        session.child = joined_child(NULL, &session.pidfd);
        assert(initsync_pair(&session.sockets[0], &session.sockets[1]) == 0);
        pid = embedder(run, &said);
        task = hear(said);
        copy = run == start_fork_and_wait ? hear(said) : 0;
        pidfd = sys_pidfd_open(task);
        if (by_kill)
                process_signal(pid, SIGKILL);
        assert(waitpid(pid, NULL, 0) == pid);
        gone = pidfd < 0 || process_gone(pidfd, 1000);
        close(pidfd);
        if (copy)
                process_end(copy);
        if (!gone)
                process_signal(task, SIGKILL);
        waitpid(task, NULL, __WALL);
        close(said);
        close(session.sockets[0]);
        close(session.sockets[1]);
        close(session.pidfd);
        process_end(session.child);
        assert(gone && process_none());
}

static void embedder_is_killed(void) {
        int i;

        for (i = 0; i < 20; i++)
                orphaned_by(start_and_wait, 1);
        for (i = 0; i < 20; i++)
                orphaned_by(start_post_and_wait, 1);
        orphaned_by(start_fork_and_wait, 1);
}

static void embedder_exits(void) {
        int i;

        for (i = 0; i < 20; i++)
                orphaned_by(start_and_leave, 0);
}

static int say_and_wait_to_be_killed_with_a_full_queue(void) {
        int i, least = 1;

        setsockopt(session.sockets[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
        assert(start() == 0);
        for (i = 0; i < 30; i++)
                assert(joined_post(&session, NULL, "/etc") == 0);
        usleep(50000);
        say(joined_task(&session));
        for (;;)
                pause();
}

static void embedder_is_killed_while_the_child_never_reads(void) {
        orphaned_by(say_and_wait_to_be_killed_with_a_full_queue, 1);
}

static int fuse = -1, flags;

static void mount_fuse(void) {
        fuse = fuse_mount(make_dir(path_of("fuse")), flags);
        if (fuse < 0)
                return;
        if (process_fork() == 0) {
                fuse_serve(fuse, flags);
                _exit(0);
        }
        close(fuse);
}

static const char *hung_path(void) {
        static char path[256];

        snprintf(path, sizeof(path), "%.200s", path_of("fuse/file"));
        return path;
}

static void need_fuse(void) {
        int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

        if (fd < 0)
                forked_skip("/dev/fuse: %s", strerror(errno));
        close(fd);
}

/* Once the server has read the lookup no signal ends it. */
static void let_it_hang(void) {
        usleep(200000);
}

static void task_hangs(int how) {
        struct joined joined;
        long start_ms;
        int i, task;

        need_fuse();
        flags = how;
        joined_start(&joined, mount_fuse);
        assert(joined_post(&joined, NULL, hung_path()) == 0);
        let_it_hang();
        task = sys_pidfd_open(joined_task(&joined));
        assert(broker_pending(&joined.broker) == 1 && initsync_abandoned() == 0);
        start_ms = milliseconds();
        broker_stop(&joined.broker, 100);
        assert(milliseconds() - start_ms < 1100);
        assert(initsync_abandoned() == 1 && !process_gone(task, 50));
        /* The server goes with the child, and what hung is let go. */
        close(joined.sockets[0]);
        close(joined.sockets[1]);
        close(joined.pidfd);
        process_end(joined.child);
        for (i = 0; i < 200 && initsync_abandoned(); i++)
                usleep(10000);
        assert(initsync_abandoned() == 0);
        assert(process_gone(task, 0));
        close(task);
        assert(process_none());
}

static void hung_in_a_file_server(void) {
        task_hangs(0);
}

static void hung_in_a_mapping_file_server(void) {
        task_hangs(FUSE_MAPS);
}

static int post_hung_and_leave(void) {
        assert(start() == 0);
        assert(joined_post(&session, NULL, hung_path()) == 0);
        let_it_hang();
        say(joined_task(&session));
        return 0;
}

static int post_hung_stop_and_leave(void) {
        assert(start() == 0);
        assert(joined_post(&session, NULL, hung_path()) == 0);
        let_it_hang();
        broker_stop(&session.broker, 100);
        say((int)initsync_abandoned());
        return 0;
}

static int post_hung_and_exec(void) {
        assert(start() == 0);
        assert(joined_post(&session, NULL, hung_path()) == 0);
        let_it_hang();
        say(joined_task(&session));
        execlp("true", "true", NULL);
        return 1;
}

/* As in `syncdemo ... | cat`: who reads what the embedder writes sees the end of it, although a task of its hangs. */
static void embedder_leaves_a_hung_task(void) {
        int (*const runs[])(void) = { post_hung_and_leave, post_hung_stop_and_leave, post_hung_and_exec };
        struct pollfd end;
        size_t i;
        int said, status, word, before;
        pid_t pid;
        long start_ms;

        need_fuse();
        assert(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
        for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
                before = support_fd_count();
                session.child = joined_child(mount_fuse, &session.pidfd);
                assert(initsync_pair(&session.sockets[0], &session.sockets[1]) == 0);
                pid = embedder(runs[i], &said);
                word = hear(said);
                start_ms = milliseconds();
                end = (struct pollfd){ .fd = said, .events = POLLIN };
                assert(poll(&end, 1, 1000) == 1 && read(said, &word, sizeof(word)) == 0);
                assert(waitpid(pid, &status, 0) == pid && status == 0);
                assert(milliseconds() - start_ms < 1000);
                close(said);
                close(session.sockets[0]);
                close(session.sockets[1]);
                close(session.pidfd);
                process_end(session.child);
                while (waitpid(-1, NULL, __WALL) > 0)
                        ;
                assert(support_fd_count() == before);
        }
}

/* A second session has its own task. */
static void others_go_on(void) {
        struct joined hung, good;
        char name[64];
        int fd;

        need_fuse();
        flags = 0;
        joined_start(&hung, mount_fuse);
        joined_start(&good, nothing);
        assert(joined_post(&hung, NULL, hung_path()) == 0);
        let_it_hang();
        assert(joined_post(&good, NULL, "/etc") == 0);
        fd = joined_receive(&good, name, sizeof(name));
        close(fd);
        joined_stop(&good, -1);
        joined_stop(&hung, 50);
        while (initsync_abandoned())
                usleep(1000);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(killed_from_outside, 0),
                FORKED(reaped_from_outside, 0),
                FORKED(stopped_from_outside, 0),
                FORKED(traced_from_outside, FORKED_ROOT),
                FORKED(child_is_dead, 0),
                FORKED(nobody_receives, 0),
                FORKED(embedder_is_killed, 0),
                FORKED(embedder_exits, 0),
                FORKED(embedder_is_killed_while_the_child_never_reads, 0),
                FORKED(hung_in_a_file_server, 0),
                FORKED(hung_in_a_mapping_file_server, 0),
                FORKED(embedder_leaves_a_hung_task, 0),
                FORKED(others_go_on, 0),
        };

        return forked_main(argc, argv, "root-broker-death", tests, sizeof(tests) / sizeof(tests[0]));
}
