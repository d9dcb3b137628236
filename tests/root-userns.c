/* SPDX-License-Identifier: MIT */
/* initsync_userns_open(): the maps that are asked for, by root and by an ordinary user. */
#include "support/support.h"

#include <initsync.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "mount/userns.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/userns.h"

#define POISON (-77)

/* Joining needs a process with one thread: it is this program again, which prints the map that it then has. */
static void join(const char *fd, const char *file) {
        char text[16384];

        assert(setns(atoi(fd), CLONE_NEWUSER) == 0);
        assert(file_read(file, text, sizeof(text)) == 0);
        fputs(text, stdout);
        fflush(stdout);
        _exit(0);
}

static void expect_map(int fd, const char *file, const struct initsync_idmap *want, size_t n) {
        struct initsync_idmap got;
        char number[16];
        int out[2], status;
        size_t i = 0;
        FILE *stream;
        pid_t pid;

        snprintf(number, sizeof(number), "%d", fd);
        assert(pipe2(out, O_CLOEXEC) == 0);
        pid = fork();
        if (pid == 0) {
                dup2(out[1], 1);
                fcntl(fd, F_SETFD, 0);
                execl("/proc/self/exe", "test", "join", number, file, NULL);
                _exit(127);
        }
        close(out[1]);
        stream = fdopen(out[0], "r");
        while (fscanf(stream, "%u %u %u", &got.inside, &got.outside, &got.count) == 3) {
                assert(i < n && memcmp(&got, &want[i], sizeof(got)) == 0);
                i++;
        }
        fclose(stream);
        assert(waitpid(pid, &status, 0) == pid && status == 0);
        assert(i == n);
}

static void maps_as_asked(void) {
        const struct initsync_idmap uids[] = { { 0, 100000, 10 }, { 20, 200000, 5 }, { 65534, 300000, 1 } };
        const struct initsync_idmap gids[] = { { 0, 500000, 1 }, { 1, 400000, 7 } };
        int fd;

        assert(initsync_userns_open(uids, 3, gids, 2, &fd, NULL) == 0);
        expect_map(fd, "/proc/self/uid_map", uids, 3);
        expect_map(fd, "/proc/self/gid_map", gids, 2);
        close(fd);
}

static void most_extents(void) {
        struct initsync_idmap map[INITSYNC_IDMAP_MAX + 1];
        int fd = POISON;
        unsigned i;

        for (i = 0; i <= INITSYNC_IDMAP_MAX; i++)
                map[i] = (struct initsync_idmap){ 2 * i, 1000 + 3 * i, 1 };
        assert(initsync_userns_open(map, INITSYNC_IDMAP_MAX + 1, map, 1, &fd, NULL) == -E2BIG && fd == POISON);
        assert(initsync_userns_open(map, INITSYNC_IDMAP_MAX, map, INITSYNC_IDMAP_MAX, &fd, NULL) == 0);
        expect_map(fd, "/proc/self/uid_map", map, INITSYNC_IDMAP_MAX);
        expect_map(fd, "/proc/self/gid_map", map, INITSYNC_IDMAP_MAX);
        close(fd);
}

static void ordinary_user(void) {
        struct initsync_idmap single = { 7, geteuid(), 1 }, others = { 0, 0, 1 };
        int fd = POISON;

        if (namespace_root()) {
                namespace_ordinary();
                single.outside = NAMESPACE_ORDINARY;
                assert(initsync_userns_open(&single, 1, &others, 1, &fd, NULL) == -EPERM && fd == POISON);
                assert(initsync_userns_open(&others, 1, &single, 1, &fd, NULL) == -EPERM && fd == POISON);
        }
        assert(initsync_userns_open(&single, 1, &single, 1, &fd, NULL) == 0);
        assert(userns_check(fd) == 0);
        expect_map(fd, "/proc/self/uid_map", &single, 1);
        close(fd);
        assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
}

static void not_dumpable(void) {
        struct initsync_idmap single = { 7, NAMESPACE_ORDINARY, 1 };
        struct initsync_error error;
        int fd = POISON;

        namespace_ordinary();
        assert(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
        assert(initsync_userns_open(&single, 1, &single, 1, &fd, &error) == -EACCES && fd == POISON);
        assert(strcmp(error.call, "openat2") == 0 && strstr(error.text, "not dumpable"));
        assert(process_none());
}

static void no_pidfd_ioctl(void) {
        struct initsync_idmap map = userns_own_map();
        int fd;

        deny_call_if(SYS_ioctl, 1, SYS_PIDFD_GET_USER_NAMESPACE, ENOTTY);
        assert(initsync_userns_open(&map, 1, &map, 1, &fd, NULL) == 0);
        expect_map(fd, "/proc/self/uid_map", &map, 1);
        close(fd);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(maps_as_asked, FORKED_ROOT),
                FORKED(most_extents, FORKED_ROOT),
                FORKED(ordinary_user, FORKED_EXEC),
                FORKED(not_dumpable, FORKED_EXEC | FORKED_ROOT),
                FORKED(no_pidfd_ioctl, 0),
        };

        if (argc == 4 && strcmp(argv[1], "join") == 0)
                join(argv[2], argv[3]);
        return forked_main(argc, argv, "root-userns", tests, sizeof(tests) / sizeof(tests[0]));
}
