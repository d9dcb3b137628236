/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "file.h"
#include "loop.h"
#include "namespace.h"

/* Programs that a test executes find the directory here. */
#define VARIABLE "INITSYNC_TEST_DIR"

static char directory[PATH_MAX];
static int host_mounts = -1;

const char *namespace_dir(void) {
        if (!directory[0] && getenv(VARIABLE))
                snprintf(directory, sizeof(directory), "%s", getenv(VARIABLE));
        assert(directory[0]);
        return directory;
}

int namespace_root(void) {
        char map[128];

        /* An ordinary user may be root in a user namespace, whose map is not the whole. */
        return geteuid() == 0 && file_read("/proc/self/uid_map", map, sizeof(map)) == 0 && strstr(map, " 4294967295\n");
}

void namespace_map(unsigned uid, unsigned gid) {
        char map[64];

        assert(file_write("/proc/self/setgroups", "deny") == 0);
        snprintf(map, sizeof(map), "0 %u 1\n", uid);
        assert(file_write("/proc/self/uid_map", map) == 0);
        snprintf(map, sizeof(map), "0 %u 1\n", gid);
        assert(file_write("/proc/self/gid_map", map) == 0);
}

void namespace_again(void) {
        assert(unshare(CLONE_NEWNS) == 0);
        assert(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        assert(scratch_mount(namespace_dir()) == 0);
}

void namespace_pids(void (*body)(void)) {
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                /* Not in the test's own process: whatever it forks later would belong to a namespace that is dead. */
                assert(unshare(CLONE_NEWPID) == 0);
                pid = fork();
                if (pid == 0) {
                        body();
                        _exit(0);
                }
                assert(pid > 0 && waitpid(pid, &status, 0) == pid);
                _exit(status != 0);
        }
        assert(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

void namespace_ordinary(void) {
        assert(setgroups(0, NULL) == 0);
        assert(setresgid(NAMESPACE_ORDINARY, NAMESPACE_ORDINARY, NAMESPACE_ORDINARY) == 0);
        assert(setresuid(NAMESPACE_ORDINARY, NAMESPACE_ORDINARY, NAMESPACE_ORDINARY) == 0);
        assert(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);        /* the change of user took it */
}

static void skip_all(const char *why) {
        printf("1..0 # SKIP %s: %s\n", why, strerror(errno));
        exit(0);
}

/* Any place will do: nothing but a mount point is there. */
static int make_directory(void) {
        const char *const places[] = { getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm", "." };
        char name[PATH_MAX];
        size_t i;

        for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                if (!places[i])
                        continue;
                snprintf(name, sizeof(name), "%s/initsync-XXXXXX", places[i]);
                if (mkdtemp(name))
                        return realpath(name, directory) ? 0 : -errno;
        }
        return -errno;
}

void namespace_enter(void) {
        unsigned uid = geteuid(), gid = getegid();

        /* An open mountinfo stays that of the namespace it was opened in. */
        host_mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        if (unshare(namespace_root() ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0)
                skip_all("no namespace of its own");
        if (!namespace_root())
                namespace_map(uid, gid);
        assert(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        if (make_directory() < 0)
                skip_all("no directory to mount on");
        assert(setenv(VARIABLE, directory, 1) == 0);
        assert(scratch_mount(directory) == 0);
}

/* A directory of this very name in the host's table is one that a test let out. */
static int is_on_host(void) {
        size_t used = 0, size = 1 << 20;
        char *text = malloc(size + 1);
        ssize_t n;
        int found;

        assert(text);
        while ((n = pread(host_mounts, text + used, size - used, (off_t)used)) > 0) {
                used += (size_t)n;
                if (used == size)
                        assert((text = realloc(text, (size *= 2) + 1)));
        }
        text[used] = '\0';
        assert(n == 0 && used > 0);
        found = strstr(text, directory) != NULL;
        free(text);
        return found;
}

int namespace_leave(void) {
        int out = is_on_host();

        if (out)
                printf("# %s is in the host's mount table\n", directory);
        assert(umount2(directory, MNT_DETACH) == 0);
        assert(rmdir(directory) == 0);
        close(host_mounts);
        return out ? -1 : 0;
}
