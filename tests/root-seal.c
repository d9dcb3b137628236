/* SPDX-License-Identifier: MIT */
/* Sealing by an overlay: where the executable is, or no longer is, what the kernel lacks, and what it costs. */
#include "support/support.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "exe/exe.h"
#include "kernel/overlay.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/sealing.h"

#define OWN "/proc/self/exe"
#define SMALL 0L                /* as it is */
#define LARGE (16L << 20)

/* Executes the program at @path, to do what is called @task; it must end well. */
static void execute(const char *path, const char *task) {
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                execl(path, path, "task", task, NULL);
                _exit(127);
        }
        assert(pid > 0 && waitpid(pid, &status, 0) == pid);
        if (status != 0)
                fprintf(stderr, "%s: status 0x%x\n", task, (unsigned)status);
        assert(status == 0);
}

static int has_overlay(void) {
        /* It takes layers by descriptor, and can be seen to be one. */
        return initsync_feature("overlay_layer_fd") == 1 && initsync_feature("statmount") == 1;
}

static void need_overlay(void) {
        if (!has_overlay())
                forked_skip("overlayfs takes no layers by descriptor before Linux 6.15");
}

/* Or, on an older kernel, is refused by the call that it needs. */
static void works_by_overlay(const char *path) {
        struct initsync_error error;

        if (has_overlay()) {
                seal_works(INITSYNC_SEAL_OVERLAY, path);
                return;
        }
        assert(seal(INITSYNC_SEAL_OVERLAY, &error) < 0);
        assert(strstr(error.text, "by an overlay: "));
}

/* ---- where the executable is ------------------------------------------------ */

static void in_place(const char *path) {
        int before = mount_count();

        works_by_overlay(path);
        seal_works(INITSYNC_SEAL_MEMFD, path);
        seal_works(INITSYNC_SEAL_AUTO, path);
        assert(mount_count() == before);
}

/* Names that a list of options would take apart, that look like another kernel's answer, and the longest. */
static void names(void) {
        static const char *const plain[] = { "a", "a:b,c\\d", "a (deleted)", "lowerdir+=x", " ", "\n" };
        char longest[256];
        size_t i;

        for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
                execute(seal_copy(OWN, path_of("%s", plain[i]), SMALL), "in place");
        memset(longest, 'x', 255);
        longest[255] = '\0';
        execute(seal_copy(OWN, path_of("%s", longest), SMALL), "in place");
        execute(seal_copy(OWN, path_of("large"), LARGE), "in place");
}

static void stale(const char *call) {
        seal_fails(INITSYNC_SEAL_OVERLAY, -ESTALE, call, "not the one at its path");
        seal_works(INITSYNC_SEAL_AUTO, OWN);
}

static void is_deleted(const char *path) {
        assert(unlink(path) == 0);
        stale("statx");
}

static void is_replaced(const char *path) {
        assert(rename(seal_copy(OWN, path_of("another"), SMALL), path) == 0);
        stale("statx");
}

static void without_directory(const char *path) {
        assert(unlink(path) == 0 && rmdir(path_of("dir")) == 0);
        stale("open");
}

/* The overlay shows what is below the mount: another program. */
static void is_mounted_over(const char *path) {
        (void)path;
        stale("statx");
}

static void moved_away(void) {
        need_overlay();
        execute(seal_copy(OWN, path_of("deleted"), SMALL), "is deleted");
        execute(seal_copy(OWN, path_of("replaced"), SMALL), "is replaced");
        make_dir(path_of("dir"));
        execute(seal_copy(OWN, path_of("dir/below"), SMALL), "without directory");
        seal_copy(OWN, path_of("above"), SMALL);
        seal_copy(OWN, path_of("below"), SMALL);
        assert(mount(path_of("above"), path_of("below"), NULL, MS_BIND, NULL) == 0);
        execute(path_of("below"), "is mounted over");
}

/* A user namespace of one's own may look below no mount that was there before. */
static void above_a_mount(const char *path) {
        unsigned uid = geteuid(), gid = getegid();

        seal_works(INITSYNC_SEAL_OVERLAY, path);
        assert(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
        namespace_map(uid, gid);
        seal_fails(INITSYNC_SEAL_OVERLAY, -EINVAL, "fsconfig", "by an overlay: fsconfig: Invalid argument");
        seal_works(INITSYNC_SEAL_AUTO, path);
}

static void submount(void) {
        need_overlay();
        seal_copy(OWN, path_of("program"), SMALL);
        make_tmpfs(path_of("mounted"));
        execute(path_of("program"), "above a mount");
}

static int on_tmpfs(const char *path) {
        struct statfs fs;

        return statfs(path, &fs) == 0 && fs.f_type == SYS_TMPFS_MAGIC;
}

static void is_unreadable(const char *path) {
        namespace_ordinary();
        seal_fails(INITSYNC_SEAL_MEMFD, -EACCES, "open", "in memory: open: Permission denied");
        /* Only what is on a tmpfs can be a sealed copy in memory, and must be read to know. */
        assert(initsync_exe_is_sealed() == (on_tmpfs(path) ? -EACCES : 0));
}

static void unreadable(void) {
        assert(chmod(namespace_dir(), 0755) == 0);
        assert(chmod(seal_copy(OWN, path_of("program"), SMALL), 0711) == 0);
        execute(path_of("program"), "is unreadable");
}

/* ---- what the kernel lacks -------------------------------------------------- */

static void no_overlay(int call, int arg, unsigned value, int code, const char *name) {
        int status;
        pid_t pid = process_fork();

        if (pid == 0) {
                if (arg < 0)
                        deny_call(call, code);
                else
                        deny_call_if(call, arg, value, code);
                seal_fails(INITSYNC_SEAL_OVERLAY, -code, name, strerror(code));
                seal_works(INITSYNC_SEAL_AUTO, OWN);
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && status == 0);
}

static void lacks(void) {
        no_overlay(NR_fsopen, -1, 0, ENOSYS, "fsopen");
        no_overlay(NR_fsopen, -1, 0, EPERM, "fsopen");
        no_overlay(NR_fsopen, -1, 0, ENODEV, "fsopen");
        no_overlay(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EOPNOTSUPP, "fsconfig");
        no_overlay(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF, "fsconfig");
        no_overlay(NR_fsconfig, 1, SYS_FSCONFIG_CMD_CREATE, EINVAL, "fsconfig");
        no_overlay(NR_fsmount, -1, 0, EPERM, "fsmount");
}

/* What cannot be known to be sealed afterwards is not given out: it would be sealed again and again. */
static void no_proof(void) {
        need_overlay();
        deny_call(NR_statmount, ENOSYS);
        seal_fails(INITSYNC_SEAL_OVERLAY, -EIO, "", "does not prove to be sealed");
        seal_works(INITSYNC_SEAL_AUTO, OWN);
}

static void in_pid_namespace(void (*body)(void)) {
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

/* The sysctl is that of a pid namespace. */
static void with_noexec(void) {
        assert(mount("proc", "/proc", "proc", 0, NULL) == 0);
        assert(file_write("/proc/sys/vm/memfd_noexec", "1") == 0);
        seal_works(INITSYNC_SEAL_MEMFD, OWN);
        assert(file_write("/proc/sys/vm/memfd_noexec", "2") == 0);
        assert(initsync_feature("memfd_exec") == -EPERM);
        seal_fails(INITSYNC_SEAL_MEMFD, -EACCES, "memfd_create", "in memory: memfd_create: executable memory is forbidden");
        works_by_overlay(OWN);
        if (has_overlay())
                seal_works(INITSYNC_SEAL_AUTO, OWN);
        else
                seal_fails(INITSYNC_SEAL_AUTO, -EACCES, "memfd_create", "by an overlay: ");
        deny_call(NR_fsopen, EPERM);
        seal_fails(INITSYNC_SEAL_AUTO, -EACCES, "memfd_create",
                   "by an overlay: fsopen: Operation not permitted; in memory: ");
        assert(umount2("/proc", MNT_DETACH) == 0);
}

static void memfd_noexec(void) {
        if (access("/proc/sys/vm/memfd_noexec", F_OK) < 0)
                forked_skip("no vm.memfd_noexec before Linux 6.3");
        if (initsync_feature("memfd_exec") == 0)
                forked_skip("no MFD_EXEC before Linux 6.3");
        in_pid_namespace(with_noexec);
}

/* ---- /proc ------------------------------------------------------------------ */

static void no_proc(int code) {
        seal_fails(INITSYNC_SEAL_AUTO, code, "open", "/proc/self/exe");
        assert(initsync_exe_is_sealed() == code);
}

static void replaced_proc(void) {
        assert(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
        make_dir("/proc/self");
        assert(symlink("/bin/sh", "/proc/self/exe") == 0);
        no_proc(-ENOSYS);
}

/* A directory of a true procfs. */
static void part_of_proc(void) {
        assert(mount("/proc/self/task", "/proc", NULL, MS_BIND, NULL) == 0);
        no_proc(-ENOSYS);
}

static void covered_process(void) {
        assert(mount("tmpfs", "/proc/self", "tmpfs", 0, NULL) == 0);
        assert(symlink("/bin/sh", "/proc/self/exe") == 0);
        no_proc(-EXDEV);
}

/* Which only the newer calls can do: they need not follow the link. */
static void covered_link(void) {
        int from = sys_open_tree(AT_FDCWD, "/bin/sh", SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC);
        int to = open("/proc/self/exe", O_PATH | O_NOFOLLOW | O_CLOEXEC), r;

        assert(from >= 0 && to >= 0);
        r = sys_move_mount(from, "", to, "", SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH);
        close(from);
        close(to);
        if (r < 0)
                forked_skip("move_mount: %s: no mounts over links here", strerror(-r));
        no_proc(-EXDEV);
}

/* Another pid namespace's procfs shows this process under another number, or not at all. */
static void with_proc_of_parent(void) {
        works_by_overlay(OWN);
        seal_works(INITSYNC_SEAL_MEMFD, OWN);
}

static void proc_of_parent(void) {
        in_pid_namespace(with_proc_of_parent);
}

static void mounts_proc(void) {
        assert(mount("proc", "/proc", "proc", 0, NULL) == 0);
}

static void proc_of_child(void) {
        in_pid_namespace(mounts_proc);
        no_proc(-ENOSYS);
}

/* ---- what counts as sealed -------------------------------------------------- */

/* Over namespace_dir(), with the file "program" in it. */
static int overlay(unsigned attributes, const char *upper) {
        int context = sys_fsopen("overlay", SYS_FSOPEN_CLOEXEC), dir, mount_fd;

        assert(context >= 0);
        dir = open(namespace_dir(), O_PATH | O_CLOEXEC);
        assert(sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, dir) == 0);
        close(dir);
        if (upper) {
                assert(sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, "upperdir", path_of("%s/upper", upper), 0) == 0);
                assert(sys_fsconfig(context, SYS_FSCONFIG_SET_STRING, "workdir", path_of("%s/work", upper), 0) == 0);
        } else {
                dir = open(path_of("upper"), O_PATH | O_CLOEXEC);
                assert(sys_fsconfig(context, SYS_FSCONFIG_SET_FD, "lowerdir+", NULL, dir) == 0);
                close(dir);
        }
        assert(sys_fsconfig(context, SYS_FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
        mount_fd = sys_fsmount(context, SYS_FSMOUNT_CLOEXEC, attributes);
        assert(mount_fd >= 0);
        close(context);
        return mount_fd;
}

static void expect_sealed(int mount_fd, int sealed) {
        int fd = openat(mount_fd, "program", O_PATH | O_CLOEXEC);

        assert(fd >= 0);
        if (exe_sealed(fd) != sealed)
                fprintf(stderr, "%d instead of %d\n", exe_sealed(fd), sealed);
        assert(exe_sealed(fd) == sealed);
        close(fd);
}

static void counts(void) {
        const unsigned all = SYS_MOUNT_ATTR_RDONLY | SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV;
        unsigned attribute;
        int mount_fd;

        need_overlay();
        make_file(path_of("program"), geteuid());
        make_tmpfs(path_of("upper"));
        make_dir(path_of("upper/upper"));
        make_dir(path_of("upper/work"));
        for (attribute = 0; attribute < 8; attribute++) {
                mount_fd = overlay(attribute, NULL);
                /* Without an upper layer the file system is read-only itself. */
                expect_sealed(mount_fd, (attribute | SYS_MOUNT_ATTR_RDONLY) == all);
                close(mount_fd);
        }
        mount_fd = overlay(all & ~(unsigned)SYS_MOUNT_ATTR_RDONLY, "upper");
        expect_sealed(mount_fd, 0);
        close(mount_fd);
        /* In the mount namespace it is anybody's to remount. */
        mount_fd = overlay(all, NULL);
        expect_sealed(mount_fd, 1);
        make_dir(path_of("place"));
        assert(sys_move_mount(mount_fd, "", AT_FDCWD, path_of("place"), SYS_MOVE_MOUNT_F_EMPTY_PATH) == 0);
        expect_sealed(mount_fd, 0);
        close(mount_fd);
}

/* An image's process that gets at a runtime, and at what it held on to when that has ended. */
static void attacked(enum initsync_seal how) {
        char pause_text[] = "pause", test[] = "test", *argv[] = { test, pause_text, NULL }, exe[64], kept[64], link[4096];
        int fd = seal(how, NULL), held, status;
        pid_t pid = process_fork();

        if (pid == 0) {
                syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
                _exit(127);
        }
        snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
        do
                memset(link, 0, sizeof(link));
        while (readlink(exe, link, sizeof(link) - 1) > 0 && strcmp(link, how == INITSYNC_SEAL_OVERLAY ? "/root-seal" :
                                                                   "/memfd:root-seal (deleted)") != 0);
        held = open(exe, O_PATH | O_CLOEXEC);
        assert(held >= 0 && seal_unchangeable(exe) >= 11);
        snprintf(kept, sizeof(kept), "/proc/self/fd/%d", held);
        process_signal(pid, SIGKILL);
        assert(waitpid(pid, &status, 0) == pid);
        close(fd);
        assert(seal_unchangeable(kept) >= 11 && seal_same(kept, OWN));
        close(held);
}

static void attacks(const char *path) {
        (void)path;
        if (has_overlay())
                attacked(INITSYNC_SEAL_OVERLAY);
        attacked(INITSYNC_SEAL_MEMFD);
}

/* The same attacks on a file that is not sealed do get through. */
static void attacks_work(void) {
        int status;
        pid_t pid;

        execute(seal_copy(OWN, path_of("root-seal"), SMALL), "attacks");
        pid = process_fork();
        if (pid == 0) {
                assert(freopen("/dev/null", "w", stderr));
                seal_unchangeable(path_of("root-seal"));
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- what it costs ---------------------------------------------------------- */

#define ROUNDS 21

static int compare(const void *a, const void *b) {
        return *(const long *)a < *(const long *)b ? -1 : *(const long *)a > *(const long *)b;
}

static long nanoseconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* The middle one of several, for the parent. */
static void is_timed(const char *path) {
        long times[ROUNDS], i, start;
        int fds[ROUNDS];
        char text[32];

        for (i = 0; i < ROUNDS; i++) {
                start = nanoseconds();
                assert(initsync_exe_seal(INITSYNC_SEAL_OVERLAY, &fds[i], NULL) == 0);
                times[i] = nanoseconds() - start;
        }
        for (i = 0; i < ROUNDS; i++)
                close(fds[i]);
        qsort(times, ROUNDS, sizeof(times[0]), compare);
        snprintf(text, sizeof(text), "%ld", times[ROUNDS / 2]);
        assert(file_write(path_of("%s.time", strrchr(path, '/') + 1), text) == 0);
}

static void timed(const char *name, long *best) {
        char text[32];
        long time;

        execute(path_of("%s", name), "is timed");
        assert(file_read(path_of("%s.time", name), text, sizeof(text)) == 0);
        time = atol(text);
        if (*best == 0 || time < *best)
                *best = time;
}

/* A copy would take 160 times as long; whatever else the machine does meanwhile may hold up either of them. */
static void costs(void) {
        long small = 0, large = 0;
        int i;

        need_overlay();
        make_file(path_of("small.time"), geteuid());
        make_file(path_of("large.time"), geteuid());
        seal_copy(OWN, path_of("small"), SMALL);
        seal_copy(OWN, path_of("large"), LARGE);
        for (i = 0; i < 10; i++) {
                timed("small", &small);
                timed("large", &large);
        }
        printf("# an executable of %ld MiB: %ld us, the test itself: %ld us\n", LARGE >> 20, large / 1000, small / 1000);
        assert(large <= 20 * small);
}

static const struct {
        const char *name;
        void (*run)(const char *path);
} tasks[] = {
        { "in place", in_place },
        { "is deleted", is_deleted },
        { "is replaced", is_replaced },
        { "without directory", without_directory },
        { "is mounted over", is_mounted_over },
        { "above a mount", above_a_mount },
        { "is unreadable", is_unreadable },
        { "attacks", attacks },
        { "is timed", is_timed },
};

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(names, 0),
                FORKED(moved_away, 0),
                FORKED(submount, 0),
                FORKED(unreadable, FORKED_ROOT),
                FORKED(lacks, 0),
                FORKED(no_proof, 0),
                FORKED(memfd_noexec, FORKED_ROOT),
                FORKED(replaced_proc, FORKED_KEEPS),
                FORKED(part_of_proc, FORKED_KEEPS),
                FORKED(covered_process, FORKED_KEEPS),
                FORKED(covered_link, FORKED_KEEPS),
                FORKED(proc_of_parent, 0),
                FORKED(proc_of_child, FORKED_KEEPS),
                FORKED(counts, 0),
                FORKED(attacks_work, 0),
                FORKED(costs, 0),
        };
        size_t i;

        seal_main(argc, argv);
        for (i = 0; argc == 3 && i < sizeof(tasks) / sizeof(tasks[0]); i++) {
                if (strcmp(argv[2], tasks[i].name) == 0) {
                        tasks[i].run(argv[0]);
                        exit(0);
                }
        }
        return forked_main(argc, argv, "seal", tests, sizeof(tests) / sizeof(tests[0]));
}
