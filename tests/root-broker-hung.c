/* SPDX-License-Identifier: MIT */
/* The mount task: hung in a file server that does not answer, where no signal ends it. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/embedder.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/fuse.h"
#include "support/joined.h"
#include "support/process.h"

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

/* The embedder of the tests below is a process of its own, so that it can die. */
static struct joined session;

static int post_hung_and_leave(void) {
        assert(joined_join(&session) == 0);
        assert(joined_post(&session, NULL, hung_path()) == 0);
        let_it_hang();
        embedder_say(joined_task(&session));
        return 0;
}

static int post_hung_stop_and_leave(void) {
        assert(joined_join(&session) == 0);
        assert(joined_post(&session, NULL, hung_path()) == 0);
        let_it_hang();
        broker_stop(&session.broker, 100);
        embedder_say((int)initsync_abandoned());
        return 0;
}

static int post_hung_and_exec(void) {
        assert(joined_join(&session) == 0);
        assert(joined_post(&session, NULL, hung_path()) == 0);
        let_it_hang();
        embedder_say(joined_task(&session));
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
                pid = embedder_start(runs[i], &said);
                word = embedder_hear(said);
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
        joined_start(&good, NULL);
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
                FORKED(hung_in_a_file_server, 0),
                FORKED(hung_in_a_mapping_file_server, 0),
                FORKED(embedder_leaves_a_hung_task, 0),
                FORKED(others_go_on, 0),
        };

        return forked_main(argc, argv, "root-broker-hung", tests, sizeof(tests) / sizeof(tests[0]));
}
