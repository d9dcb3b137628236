/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "private.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "file.h"
#include "oracle.h"
#include "process.h"

static char why[128], directory[PATH_MAX];

static struct kind {
        const char *name, *limit;
        unsigned long flag;
        int before;             /* how many were alive at first, or -1 */
} kinds[] = {
        { "user", "/proc/sys/user/max_user_namespaces", CLONE_NEWUSER, -1 },
        { "mount", "/proc/sys/user/max_mnt_namespaces", CLONE_NEWNS, -1 },
};

int private_counts(void) {
        return kinds[0].before >= 0;
}

ssize_t private_read(const char *path, char *to, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, to, size - 1);
        close(fd);
        to[n < 0 ? 0 : n] = '\0';
        return n;
}

/* With at most @most of a kind: can there be one more? A process of its own makes it, by the bare call: see clone(2). */
static int has_room(const struct kind *kind, int most) {
        char text[32];
        int r, tries = 0;
        long pid;

        snprintf(text, sizeof(text), "%d", most);
        assert(file_write(kind->limit, text) == 0);
        /* EAGAIN is of a system that has no room for another process; what is above the limit gets ENOSPC. */
        while ((pid = syscall(SYS_clone, kind->flag | SIGCHLD, NULL, NULL, NULL, NULL)) < 0 && errno == EAGAIN && tries++ < 6000)
                usleep(10000);
        if (pid == 0)
                syscall(SYS_exit_group, 0);
        assert(pid > 0 || errno == ENOSPC);
        r = pid > 0;
        if (r)
                assert(waitpid((pid_t)pid, NULL, 0) == pid);
        snprintf(text, sizeof(text), "%d", INT_MAX);
        assert(file_write(kind->limit, text) == 0);
        return r;
}

const char *private_kind(int kind) {
        return kind < 2 ? kinds[kind].name : NULL;
}

int private_too_many(int kind) {
        return !has_room(&kinds[kind], kinds[kind].before + 1);
}

#define SETTLE_US 300000        /* for what the last try made to be cleared away */

static void count(struct kind *kind) {
        int most = 1;

        usleep(SETTLE_US);
        while (!has_room(kind, most))
                assert(++most < 100);
        kind->before = most - 1;
}

/* All ids for root, written by a process that is still outside; one for everybody else. */
static int write_maps(int pid, unsigned uid, unsigned gid) {
        char path[64], map[64];

        if (uid != 0) {
                snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
                if (file_write(path, "deny") < 0)
                        return -1;
        }
        snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
        snprintf(map, sizeof(map), "0 %u %u\n", uid, uid ? 1 : UINT_MAX);
        if (file_write(path, map) < 0)
                return -1;
        snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
        snprintf(map, sizeof(map), "0 %u %u\n", gid, uid ? 1 : UINT_MAX);
        return file_write(path, map);
}

static int enter_user_namespace(void) {
        unsigned uid = geteuid(), gid = getegid();
        int go[2], status, pid, self = getpid();
        char byte;

        assert(pipe2(go, O_CLOEXEC) == 0);
        pid = uid == 0 ? process_copy() : -1;
        if (pid == 0) {
                close(go[1]);
                _exit(read(go[0], &byte, 1) != 1 || write_maps(self, uid, gid) < 0);
        }
        if (unshare(CLONE_NEWUSER) < 0) {
                snprintf(why, sizeof(why), "unshare(CLONE_NEWUSER): %s", strerror(errno));
                close(go[1]);
                if (pid > 0)
                        waitpid(pid, NULL, 0);
                close(go[0]);
                return 0;
        }
        status = pid < 0 ? write_maps(self, uid, gid) : 0;
        assert(write(go[1], "", 1) == 1);
        if (pid > 0)
                assert(waitpid(pid, &status, 0) == pid);
        close(go[0]);
        close(go[1]);
        if (status != 0)
                snprintf(why, sizeof(why), "the id maps of a user namespace cannot be written");
        return status == 0;
}

/* A test that was built there is still to find itself. */
static int holds_us(const char *place) {
        char self[PATH_MAX] = "";
        size_t n = strlen(place);

        return readlink("/proc/self/exe", self, sizeof(self) - 1) > 0 && strncmp(self, place, n) == 0 && self[n] == '/';
}

int oracle_enter(void) {
        static const char *const places[] = { "/tmp", "/var/tmp", "/mnt" };
        size_t i;

        if (!enter_user_namespace())
                return 0;
        if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                snprintf(why, sizeof(why), "a mount and a network namespace: %s", strerror(errno));
                return 0;
        }
        for (i = 0; i < sizeof(places) / sizeof(places[0]) && !directory[0]; i++)
                if (!holds_us(places[i]) && mount("test", places[i], "tmpfs", 0, "mode=755") == 0)
                        strcpy(directory, places[i]);
        if (!directory[0]) {
                snprintf(why, sizeof(why), "a tmpfs on /tmp: %s", strerror(errno));
                return 0;
        }
        oracle_settle();
        return 1;
}

void oracle_settle(void) {
        size_t i;

        for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                count(&kinds[i]);
}

const char *oracle_why(void) {
        return why;
}

const char *oracle_dir(void) {
        return directory;
}
