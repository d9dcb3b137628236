/* SPDX-License-Identifier: MIT */
/* initsync_overlay_open(): what the process that calls it sees of the work, and its limits; a helper that is killed. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/layers.h"
#include "support/process.h"

/* Nobody who looks at the mount table sees one come or go. */
static void no_mount_event(void) {
        struct initsync_overlay overlay;
        struct pollfd table;
        int i, fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(3);
        /* As it is on most hosts: what another namespace mounts arrives here, too. */
        assert(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0);
        table = (struct pollfd){ .fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), .events = POLLPRI };
        assert(table.fd >= 0);
        poll(&table, 1, 0);
        for (i = 0; i < 20; i++) {
                if (i == 10)
                        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
                fd = layers_open(&overlay);
                assert(poll(&table, 1, 0) == 0);
                close(fd);
        }
        make_tmpfs(path_of("fs/seen"));
        assert(poll(&table, 1, 0) == 1);
        close(table.fd);
}

static void embedder_is_untouched(void) {
        struct sys_capabilities before[2], after[2];
        struct initsync_overlay overlay;
        int old;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        assert(sys_capget(before) == 0);
        for (old = 0; old < 2; old++) {
                if (old)
                        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
                close(layers_open(&overlay));
                assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
                assert(setfsuid((uid_t)-1) == 0 && setfsgid((gid_t)-1) == 0);
                assert(sys_capget(after) == 0 && memcmp(before, after, sizeof(before)) == 0);
        }
        assert(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
        close(layers_open(&overlay));
        assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
        assert(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

static void no_descriptors(void) {
        struct rlimit limit = { 0, 0 };
        struct initsync_overlay overlay;
        struct initsync_error error;
        int fd = -7, r;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        for (limit.rlim_cur = 3;; limit.rlim_cur++) {
                limit.rlim_max = 64;
                assert(limit.rlim_cur < 64 && setrlimit(RLIMIT_NOFILE, &limit) == 0);
                r = initsync_overlay_open(&overlay, &fd, &error);
                if (r == 0)
                        break;
                assert(r == -EMFILE && fd == -7);
        }
        close(fd);
}

static volatile int stop;

/* Kills whatever children this process has, which only their parent sees, in /proc. */
static void *kill_children(void *arg) {
        char path[64], text[256];
        int pid;

        (void)arg;
        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        while (!stop)
                if (file_read(path, text, sizeof(text)) == 0 && (pid = atoi(text)) > 1)
                        process_signal(pid, SIGKILL);
        return NULL;
}

#define KILLED 20       /* so often: whatever it had open at that moment must not stay */

static void killed_helper(void) {
        struct initsync_overlay overlay;
        struct initsync_error error;
        int i, fd, r, seen = 0;
        pthread_t thread;

        if (SANITIZED_THREADS)
                forked_skip("children that are killed and the sanitizer's threads do not go together");
        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
        make_tmpfs(path_of("fs"));
        overlay = layers(400);
        assert(pthread_create(&thread, NULL, kill_children, NULL) == 0);
        for (i = 0; i < 2000 && seen < KILLED; i++) {
                r = initsync_overlay_open(&overlay, &fd, &error);
                if (r == 0)
                        close(fd);
                /* The helper of the user namespace is one of these children as well. */
                seen += r == -ESRCH && strstr(error.text, "overlay: ") == error.text;
        }
        stop = 1;
        assert(pthread_join(thread, NULL) == 0);
        assert(seen);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(no_mount_event, FORKED_ROOT),
                FORKED(embedder_is_untouched, FORKED_ROOT),
                FORKED(no_descriptors, FORKED_ROOT),
                FORKED(killed_helper, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-overlay-embedder", tests, sizeof(tests) / sizeof(tests[0]));
}
