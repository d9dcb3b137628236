/* SPDX-License-Identifier: MIT */
/* initsync_userns_open(): every limit that it can meet, what the kernel refuses, and a /proc that is none. */
#include "support/support.h"

#include <initsync.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/userns.h"

static void no_descriptors(void) {
        static char before[8192], after[8192];
        struct rlimit limit, low;
        int steps, r;

        assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        descriptors(0, before, sizeof(before));
        low = limit;
        low.rlim_cur = 3;
        /* One more at a time, until it works: at each step another call is the one that fails. */
        for (steps = 0; steps < 64; steps++) {
                assert(setrlimit(RLIMIT_NOFILE, &low) == 0);
                r = userns_open_own(NULL);
                if (r >= 0)
                        break;
                assert(r == -EMFILE);
                low.rlim_cur++;
        }
        assert(r >= 3);
        close(r);
        assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        descriptors(0, after, sizeof(after));
        assert(strcmp(before, after) == 0 && steps >= 4);
}

/* LeakSanitizer wants a process more at exit. */
static void no_processes(void) {
        struct rlimit limit = { 0, 0 };

        if (namespace_root())
                namespace_ordinary();
        assert(setrlimit(RLIMIT_NPROC, &limit) == 0);
        userns_fails(-EAGAIN, "clone");
        assert(process_none());
        _exit(0);
}

static void no_user_namespaces(void) {
        unsigned uid = geteuid(), gid = getegid();

        assert(unshare(CLONE_NEWUSER) == 0);
        namespace_map(uid, gid);
        if (file_write("/proc/sys/user/max_user_namespaces", "0") < 0)
                forked_skip("/proc/sys is read-only here");
        userns_fails(-ENOSPC, "user.max_user_namespaces");
        assert(process_none());
        _exit(0);
}

static void not_permitted(void) {
        deny_call_if(SYS_clone, 0, CLONE_NEWUSER | CLONE_VM | CLONE_FILES | SYS_CLONE_PIDFD, EPERM);
        userns_fails(-EPERM, "clone");
        /* A helper that cannot be killed is not started. */
        deny_call(NR_pidfd_send_signal, ENOSYS);
        userns_fails(-ENOSYS, "");
        assert(process_none());
}

/* Where /proc will not do, one is made for the purpose; where none can be made either, that is all. */
static void expect_private(int possible) {
        int status;
        pid_t pid;

        if (possible)
                userns_works();
        else
                userns_fails(-ENOSYS, "/proc");
        pid = fork();
        if (pid == 0) {
                deny_call(SYS_fsopen, EPERM);
                userns_fails(-ENOSYS, "/proc");
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && status == 0);
}

/* In a new pid namespace /proc is still that of the old one, where our numbers are others'. */
static void with_proc_of_parent(void) {
        expect_private(1);
}

static void other_proc(void) {
        const int root = namespace_root();      /* asked of /proc */
        char number[16];

        make_tmpfs(path_of("fake"));
        snprintf(number, sizeof(number), "%d", getpid());
        assert(symlink(number, path_of("fake/self")) == 0);     /* it does its best */
        assert(mount(path_of("fake"), "/proc", NULL, MS_BIND, NULL) == 0);
        expect_private(root);                   /* others do not own the pid namespace */
        assert(umount2("/proc", MNT_DETACH) == 0);
        assert(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0);
        expect_private(root);
        assert(umount2("/proc", MNT_DETACH) == 0);
        namespace_pids(with_proc_of_parent);
        umount(path_of("fake"));
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(no_descriptors, 0),
                FORKED(no_processes, FORKED_EXEC),
                FORKED(no_user_namespaces, FORKED_EXEC),
                FORKED(not_permitted, 0),
                FORKED(other_proc, 0),
        };

        return forked_main(argc, argv, "root-userns-refused", tests, sizeof(tests) / sizeof(tests[0]));
}
