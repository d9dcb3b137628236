/* SPDX-License-Identifier: MIT */
/* The mount task: killed, stopped, without its child, orphaned by an embedder that dies. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "support/embedder.h"
#include "support/forked.h"
#include "support/joined.h"
#include "support/process.h"

static void killed_from_outside(void) {
        struct joined joined;
        struct pollfd wait;

        joined_start(&joined, NULL);
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

        joined_start(&joined, NULL);
        task = joined_task(&joined);
        assert(process_signal(task, SIGKILL) == 0);
        assert(waitpid(task, NULL, __WALL) == task);
        joined_stop(&joined, -1);
}

/* It answers nothing then; the session's deadline ends it, and what was asked of it is pending until then. */
static void stopped_from_outside(void) {
        struct joined joined;
        long start_ms;

        joined_start(&joined, NULL);
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

        joined_start(&joined, NULL);
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

        joined_start(&joined, NULL);
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

        joined_start(&joined, NULL);
        close(joined.sockets[1]);
        joined.sockets[1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert(joined_post(&joined, NULL, "/etc") == 0);
        slot = joined_failed(&joined);
        assert(slot->result.error == -EPIPE && slot->result.call == SOURCE_SENDMSG);
        joined_stop(&joined, -1);
}

/* The embedder of the tests below is a process of its own, so that it can die. */
static struct joined session;

static int start_and_wait(void) {
        assert(joined_join(&session) == 0);
        embedder_say(joined_task(&session));
        for (;;)
                pause();
}

static pid_t copy;

/* A copy that a fork made holds all of the embedder's descriptors, the task's end of file among them. */
static int start_fork_and_wait(void) {
        assert(joined_join(&session) == 0);
        copy = fork();
        if (copy == 0)
                for (;;)
                        pause();
        embedder_say(joined_task(&session));
        embedder_say(copy);
        for (;;)
                pause();
}

static int start_post_and_wait(void) {
        assert(joined_join(&session) == 0);
        assert(joined_post(&session, NULL, "/etc") == 0);
        embedder_say(joined_task(&session));
        for (;;)
                pause();
}

static int start_and_leave(void) {
        assert(joined_join(&session) == 0);
        embedder_say(joined_task(&session));
        return 0;
}

/* A task has no parent that must wait for it: here it is a subreaper that sees whether one is left. */
static void orphaned_by(int (*run)(void), int by_kill) {
        int said, task, pidfd, gone;
        pid_t pid;

        assert(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
        session.child = joined_child(NULL, &session.pidfd);
        assert(initsync_pair(&session.sockets[0], &session.sockets[1]) == 0);
        pid = embedder_start(run, &said);
        task = embedder_hear(said);
        copy = run == start_fork_and_wait ? embedder_hear(said) : 0;
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
        assert(joined_join(&session) == 0);
        for (i = 0; i < 30; i++)
                assert(joined_post(&session, NULL, "/etc") == 0);
        usleep(50000);
        embedder_say(joined_task(&session));
        for (;;)
                pause();
}

static void embedder_is_killed_while_the_child_never_reads(void) {
        orphaned_by(say_and_wait_to_be_killed_with_a_full_queue, 1);
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
        };

        return forked_main(argc, argv, "root-broker-death", tests, sizeof(tests) / sizeof(tests[0]));
}
