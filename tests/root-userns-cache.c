/* SPDX-License-Identifier: MIT */
/* The cache of user namespaces: which maps are one, what is kept, and for how long. */
#include "support/support.h"

#include <initsync.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "mount/userns.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"

#define POISON (-77)

static struct initsync_userns_cache *cache;

static ino_t inode(int fd) {
        struct stat st;

        assert(fd >= 3 && fstat(fd, &st) == 0 && userns_check(fd) == 0);
        return st.st_ino;
}

static int get(const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids, size_t n_gids) {
        int fd = POISON, r = initsync_userns_cache_get(cache, uids, n_uids, gids, n_gids, &fd, NULL);

        assert((r < 0) == (fd == POISON));
        assert(r < 0 || fcntl(fd, F_GETFD) == FD_CLOEXEC);
        return r < 0 ? r : fd;
}

static int get_one(unsigned outside) {
        struct initsync_idmap map = { 0, outside, 1 };

        return get(&map, 1, &map, 1);
}

static ino_t inode_of(const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids, size_t n_gids) {
        int fd = get(uids, n_uids, gids, n_gids);
        ino_t ino = inode(fd);

        close(fd);
        return ino;
}

static void bounds(void) {
        cache = NULL;
        assert(initsync_userns_cache_new(&cache, 0) == -EINVAL && !cache);
        assert(initsync_userns_cache_new(&cache, 1025) == -EINVAL && !cache);
        assert(initsync_userns_cache_new(&cache, 1024) == 0);
        assert(initsync_userns_cache_free(cache) == NULL);
        errno = 12345;
        assert(initsync_userns_cache_free(NULL) == NULL && errno == 12345);
}

static void same_maps(void) {
        const struct initsync_idmap map[] = { { 0, 100000, 10 }, { 10, 200000, 10 }, { 50, 300000, 2 } };
        const struct initsync_idmap permuted[] = { { 50, 300000, 2 }, { 0, 100000, 10 }, { 10, 200000, 10 } };
        const struct initsync_idmap pieces[] = { { 51, 300001, 1 }, { 4, 100004, 6 }, { 10, 200000, 10 }, { 0, 100000, 4 },
                                                 { 50, 300000, 1 } };
        const struct initsync_idmap other[] = { { 0, 100000, 10 }, { 10, 200000, 10 }, { 50, 300000, 3 } };
        ino_t first;

        assert(initsync_userns_cache_new(&cache, 16) == 0);
        first = inode_of(map, 3, map, 3);
        assert(inode_of(map, 3, map, 3) == first);
        assert(inode_of(permuted, 3, map, 3) == first);
        /* What could be written with fewer extents is a namespace of its own, and none the worse. */
        inode_of(pieces, 5, permuted, 3);
        /* Others; inode numbers of what the cache keeps cannot be given out again. */
        assert(inode_of(other, 3, map, 3) != first);
        assert(inode_of(map, 3, other, 3) != first);
        assert(inode_of(map, 2, map, 3) != first);
        assert(inode_of(map, 2, map, 3) != inode_of(map, 3, map, 2));
        initsync_userns_cache_free(cache);
}

/* From the outside, once this process is in its user namespace. */
static void map_parent(int ready) {
        const char *map = "0 100000 10\n10 300000 10\n";
        char name[64], byte;

        if (read(ready, &byte, 1) == 1) {
                snprintf(name, sizeof(name), "/proc/%d/uid_map", getppid());
                if (file_write(name, map) < 0)
                        _exit(1);
                snprintf(name, sizeof(name), "/proc/%d/gid_map", getppid());
                _exit(file_write(name, map) < 0);
        }
        _exit(1);
}

/* Where the caller's own map has two extents the kernel takes a map of the two parts, and none that spans both. */
static void parts_of_the_callers_map(void) {
        const struct initsync_idmap parts[] = { { 10, 10, 10 }, { 0, 0, 10 } }, joined = { 0, 0, 20 };
        int ready[2], status;
        pid_t pid;

        assert(pipe2(ready, O_CLOEXEC) == 0);
        pid = fork();
        if (pid == 0)
                map_parent(ready[0]);
        assert(unshare(CLONE_NEWUSER) == 0);
        assert(write(ready[1], "", 1) == 1);
        assert(waitpid(pid, &status, 0) == pid && status == 0);
        close(ready[0]);
        close(ready[1]);
        assert(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
        assert(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);        /* the change of user took it */
        assert(initsync_userns_cache_new(&cache, 4) == 0);
        inode_of(parts, 2, parts, 2);
        assert(get(&joined, 1, &joined, 1) == -EPERM);
        initsync_userns_cache_free(cache);
}

static void eviction(void) {
        int a, b, fd;

        assert(initsync_userns_cache_new(&cache, 2) == 0);
        a = get_one(100000);            /* kept open, so that their numbers stay theirs */
        b = get_one(200000);
        fd = get_one(100000);           /* used again: now the other one has been unused for longest */
        assert(inode(fd) == inode(a));
        close(fd);
        close(get_one(300000));
        fd = get_one(100000);
        assert(inode(fd) == inode(a));
        close(fd);
        fd = get_one(200000);
        assert(inode(fd) != inode(b));
        close(fd);
        initsync_userns_cache_free(cache);
        close(a);
        close(b);
}

static void outlives_the_cache(void) {
        int before, fd;

        assert(initsync_userns_cache_new(&cache, 4) == 0);
        before = support_fd_count();
        fd = get_one(namespace_root() ? 100000 : 0);
        assert(support_fd_count() == before + 2);
        initsync_userns_cache_free(cache);
        assert(support_fd_count() == before + 1);
        inode(fd);
        close(fd);
}

static void kill_helper(enum userns_stage at, int pid, int pidfd) {
        siginfo_t info;

        if (at == USERNS_OPENED) {
                assert(sys_pidfd_send_signal(pidfd, SIGKILL) == 0 && process_gone(pidfd, 5000));
                assert(waitid(P_ALL, 0, &info, WEXITED | __WALL) == 0 && info.si_pid == pid);
        }
}

static void failures(void) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct initsync_idmap map = { 0, namespace_root() ? 100000 : 0, 1 }, wrong = { 0, 4294967295u, 1 };
        int before, fd = POISON;

        assert(initsync_userns_cache_new(&cache, 4) == 0);
        before = support_fd_count();
        assert(get(&map, 1, &wrong, 1) == -ERANGE);
        assert(get(&map, 0, &map, 1) == -EINVAL);
        userns_test_stage = kill_helper;
        assert(initsync_userns_cache_get(cache, &map, 1, &map, 1, &fd, &error) == -ESRCH && fd == POISON);
        assert(error.code == -ESRCH && error.stage == INITSYNC_STAGE_USERNS);
        assert(support_fd_count() == before);
        userns_test_stage = NULL;
        fd = get(&map, 1, &map, 1);
        inode(fd);
        close(fd);
        initsync_userns_cache_free(cache);
}

/* At each limit another call is the first to fail; a namespace that was made may be kept, but nothing may be lost. */
static void no_descriptors(void) {
        struct initsync_idmap map = { 0, namespace_root() ? 100000 : 0, 1 };
        struct rlimit limit, low;
        int before = support_fd_count(), r = -EMFILE, steps;

        assert(initsync_userns_cache_new(&cache, 4) == 0);
        assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        low = limit;
        for (steps = 0, low.rlim_cur = 3; r == -EMFILE && steps < 64; steps++, low.rlim_cur++) {
                assert(setrlimit(RLIMIT_NOFILE, &low) == 0);
                r = get(&map, 1, &map, 1);
        }
        assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        inode(r);
        close(r);
        initsync_userns_cache_free(cache);
        assert(support_fd_count() == before);
}

static void *get_many(void *unused) {
        struct initsync_idmap map = { 0, 0, 1 };
        ino_t seen[8] = { 0 };
        int i, fd;

        (void)unused;
        for (i = 0; i < 200; i++) {
                map.outside = namespace_root() ? 100000 + (unsigned)i % 8 : 0;
                fd = get(&map, 1, &map, 1);
                assert(seen[i % 8] == 0 || seen[i % 8] == inode(fd));
                seen[i % 8] = inode(fd);
                close(fd);
        }
        return (void *)(uintptr_t)seen[0];
}

static void threads(void) {
        pthread_t thread[16];
        void *first, *other;
        int i;

        assert(initsync_userns_cache_new(&cache, 8) == 0);
        for (i = 0; i < 16; i++)
                assert(pthread_create(&thread[i], NULL, get_many, NULL) == 0);
        pthread_join(thread[0], &first);
        for (i = 1; i < 16; i++) {
                pthread_join(thread[i], &other);
                assert(other == first);
        }
        initsync_userns_cache_free(cache);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(bounds, 0),
                FORKED(same_maps, FORKED_ROOT),
                FORKED(parts_of_the_callers_map, FORKED_ROOT | FORKED_EXEC),
                FORKED(eviction, FORKED_ROOT),
                FORKED(outlives_the_cache, 0),
                FORKED(failures, 0),
                FORKED(no_descriptors, 0),
                FORKED(threads, FORKED_EXEC),
        };

        return forked_main(argc, argv, "root-userns-cache", tests, sizeof(tests) / sizeof(tests[0]));
}
