/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "left.h"

#include <dirent.h>
#include <initsync.h>
#include <sys/wait.h>

static struct {
        int fds, guards, threads;
} before;

static int count_threads(void) {
        DIR *dir = opendir("/proc/self/task");
        int n = 0;

        assert(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

/*
 * A task's stack begins behind 64 KiB that nobody may touch; the C library's stacks have larger ones or none of this kind.
 */
static int count_guards(void) {
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned long from, to, after, end;
        char line[512], rights[8], more[8];
        int n = 0, pending = 0;

        assert(maps);
        end = 0;
        while (fgets(line, sizeof(line), maps)) {
                if (pending && sscanf(line, "%lx-%lx %7s", &from, &after, more) == 3)
                        n += from == end && strcmp(more, "rw-p") == 0;
                pending = sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && strcmp(rights, "---p") == 0 &&
                          to - from == 65536 && !strchr(line, '/');
                end = to;
        }
        fclose(maps);
        return n;
}

int left_note(void **state) {
        (void)state;
        before.fds = support_fd_count();
        before.guards = count_guards();
        before.threads = count_threads();
        return 0;
}

int left_check(void **state) {
        siginfo_t info = { .si_pid = 0 };
        int fds, guards, threads = count_threads(), wrong = 0, i;

        (void)state;
        /* A task that took longer to die than a slow machine's deadline allowed is counted, and gone in the end. */
        for (i = 0; initsync_abandoned() && i < 300; i++)
                usleep(10000);
        fds = support_fd_count();
        guards = count_guards();
        /* The kernel is through with a thread a moment after pthread_join() is. */
        for (i = 0; threads > before.threads && i < 100; i++) {
                usleep(10000);
                threads = count_threads();
        }
        if (fds != before.fds)
                wrong = printf("# %d descriptors before, %d after\n", before.fds, fds);
        if (guards != before.guards)
                wrong = printf("# %d stacks of tasks before, %d after\n", before.guards, guards);
        if (threads != before.threads)
                wrong = printf("# %d threads before, %d after\n", before.threads, threads);
        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0) {
                wrong = printf("# a process is left%s\n", info.si_pid ? ", a zombie" : "");
                if (!info.si_pid)
                        break;
                info.si_pid = 0;
        }
        if (initsync_abandoned())
                wrong = printf("# %u tasks hang\n", initsync_abandoned());
        return wrong ? -1 : 0;
}
