/* SPDX-License-Identifier: MIT */
/* initsync_overlay_open() over a layer whose file server never answers: not even how long its names may be. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/fuse.h"
#include "support/namespace.h"
#include "support/process.h"

#define HELPER_MS 10000         /* as in mount/overlay.c */
#define SLACK_MS 4000           /* the second until it is given up, and the one that is allowed for the rest; a busy machine */

static const struct initsync_idmap map = { 0, 100000, 65536 };
static const char *lower[2];
static struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;
static struct initsync_error error;

/* The mount; its server is the process that is returned. */
static pid_t prepare(void) {
        static char layers[2][128], upper[128], work[128];
        struct initsync_mount mount_ = INITSYNC_MOUNT_INIT;
        pid_t server;
        int i, fd, device;

        assert(mount("test", make_dir(path_of("fs")), "tmpfs", 0, NULL) == 0);
        snprintf(layers[0], sizeof(layers[0]), "%.100s", make_dir(path_of("fs/hung")));
        snprintf(layers[1], sizeof(layers[1]), "%.100s", make_dir(path_of("fs/good")));
        snprintf(upper, sizeof(upper), "%.100s", make_dir(path_of("fs/up")));
        snprintf(work, sizeof(work), "%.100s", make_dir(path_of("fs/work")));
        device = fuse_mount(layers[0], FUSE_MAPS);
        if (device < 0)
                forked_skip("/dev/fuse: %s", strerror(-device));
        server = process_fork();
        if (server == 0) {
                fuse_serve(device, FUSE_MAPS);
                _exit(0);
        }
        close(device);
        for (i = 0; i < 2; i++)
                lower[i] = layers[i];
        overlay.lower = lower;
        overlay.n_lower = 2;
        overlay.upper = upper;
        overlay.work = work;
        overlay.uids = overlay.gids = &map;
        overlay.n_uids = overlay.n_gids = 1;
        mount_.source = layers[0];
        mount_.uids = mount_.gids = &map;
        mount_.n_uids = mount_.n_gids = 1;
        for (i = 0; i < 200 && initsync_mount_open(&mount_, &fd, NULL) < 0; i++)
                usleep(10000);
        if (i == 200) {
                process_end(server);
                forked_skip("FUSE takes no id mapping in this kernel");
        }
        close(fd);
        return server;
}

/* It keeps nothing of ours open, and goes with its server; meanwhile another overlay is made. */
static void hangs(void) {
        pid_t server = prepare();
        int fd = -1, pipes[2], before = support_fd_count(), i;
        struct pollfd end;
        long start_ms;

        assert(pipe2(pipes, O_CLOEXEC) == 0);
        start_ms = milliseconds();
        assert(initsync_overlay_open(&overlay, &fd, &error) == -ETIMEDOUT && fd == -1);
        assert(milliseconds() - start_ms < HELPER_MS + SLACK_MS);
        assert(error.code == -ETIMEDOUT && error.stage == INITSYNC_STAGE_MOUNT && strstr(error.text, "in time"));
        assert(initsync_abandoned() == 1);
        assert(support_fd_count() == before + 2 + 1);    /* the pipe, and what the one that hangs is known by */
        close(pipes[1]);
        end = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
        assert(poll(&end, 1, 1000) == 1 && end.revents & POLLHUP);
        close(pipes[0]);
        overlay.lower = lower + 1;
        overlay.n_lower = 1;
        assert(initsync_overlay_open(&overlay, &fd, &error) == 0);
        close(fd);
        process_end(server);
        for (i = 0; i < 500 && initsync_abandoned(); i++)
                usleep(10000);
        assert(initsync_abandoned() == 0 && support_fd_count() == before);
        assert(process_none());
}

/* As in `syncdemo ... | cat`, of a process that ends while it hangs. */
static void embedder_ends(void) {
        pid_t server = prepare(), pid;
        int pipes[2], status;
        struct pollfd end;
        char byte;

        assert(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
        assert(pipe2(pipes, O_CLOEXEC) == 0);
        pid = process_fork();
        if (pid == 0) {
                alarm(2);               /* kills it, in the middle of its wait */
                initsync_overlay_open(&overlay, &status, NULL);
                _exit(1);
        }
        close(pipes[1]);
        end = (struct pollfd){ .fd = pipes[0], .events = POLLIN };
        assert(poll(&end, 1, 2000 + SLACK_MS) == 1 && read(pipes[0], &byte, 1) == 0);
        assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
        close(pipes[0]);
        process_end(server);
        while (waitpid(-1, NULL, __WALL) > 0)
                ;
        assert(process_none());
}

/* Layers by path, from a helper that has mounts and an overlay to hand over. */
static void embedder_ends_like_6_12(void) {
        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
        embedder_ends();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(hangs, 0),
                FORKED(embedder_ends, 0),
                FORKED(embedder_ends_like_6_12, 0),
        };

        return forked_main(argc, argv, "root-overlay-hung", tests, sizeof(tests) / sizeof(tests[0]));
}
