/* SPDX-License-Identifier: MIT */
/* initsync_overlay_open(): what a container reads and writes through id-mapped layers, and what is on disk afterwards. */
#include "support/support.h"

#include <initsync.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/loop.h"
#include "support/namespace.h"
#include "support/source.h"
#include "support/process.h"

static const struct initsync_idmap map = { 0, 100000, 65536 };
static const char *lower[INITSYNC_OVERLAY_LAYERS_MAX + 1];
static char names[INITSYNC_OVERLAY_LAYERS_MAX + 1][128];
static struct initsync_error error;

/* A file system at "fs" with @n layers that each have a file of 0 and one of 1000; "up" and "work" beside them. */
static struct initsync_overlay layers(size_t n) {
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;
        static char upper[128], work[128];
        size_t i;

        for (i = 0; i < n; i++) {
                snprintf(names[i], sizeof(names[i]), "%.100s", make_dir(path_of("fs/%zu", i)));
                make_file(path_of("fs/%zu/of-0-%zu", i, i), 0);
                make_file(path_of("fs/%zu/of-1000-%zu", i, i), 1000);
                lower[i] = names[i];
        }
        snprintf(upper, sizeof(upper), "%.100s", make_dir(path_of("fs/up")));
        snprintf(work, sizeof(work), "%.100s", make_dir(path_of("fs/work")));
        overlay.lower = lower;
        overlay.n_lower = n;
        overlay.upper = upper;
        overlay.work = work;
        overlay.uids = overlay.gids = &map;
        overlay.n_uids = overlay.n_gids = 1;
        return overlay;
}

static int opened(const struct initsync_overlay *overlay) {
        int fd = -1, r = initsync_overlay_open(overlay, &fd, &error);

        if (r < 0)
                fprintf(stderr, "# %s\n", error.text);
        assert(r == 0 && fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        return fd;
}

static void refused(const struct initsync_overlay *overlay, int code, const char *call, const char *part) {
        int fd = -7, r = initsync_overlay_open(overlay, &fd, &error);

        if (r != code || !strstr(error.text, part) || strcmp(error.call, call) != 0)
                fprintf(stderr, "# %d, call %s, %s\n", r, error.call, error.text);
        assert(r == code && fd == -7 && error.code == code);
        assert(strcmp(error.call, call) == 0 && strstr(error.text, part));
}

/* The container: root of a user namespace with the same map. */
static int inside(int root, void (*body)(int root)) {
        int status, userns;
        pid_t pid;

        if (SANITIZED_THREADS)
                forked_skip("a forked process has a thread of the sanitizer's, and cannot enter a user namespace");
        assert(initsync_userns_open(&map, 1, &map, 1, &userns, NULL) == 0);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
                assert(setns(userns, CLONE_NEWUSER) == 0);
                assert(setgid(0) == 0 && setuid(0) == 0);
                body(root);
                _exit(0);
        }
        close(userns);
        assert(waitpid(pid, &status, 0) == pid);
        return status;
}

static void append(int root, const char *name) {
        int fd = openat(root, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

        assert(fd >= 0 && write(fd, "more", 4) == 4);
        close(fd);
}

static void work_as_a_container(int root) {
        assert(owner(root, "of-0-0") == 0 && owner(root, "of-1000-0") == 1000 && owner(root, "of-1000-1") == 1000);
        append(root, "of-0-0");                         /* copies up */
        append(root, "of-1000-1");
        append(root, "new");
        assert(mkdirat(root, "directory", 0755) == 0);
        assert(mkdirat(root, "directory/inner", 0755) == 0 && fchownat(root, "directory/inner", 1000, 1000, 0) == 0);
        assert(unlinkat(root, "of-0-1", 0) == 0);       /* a whiteout */
        assert(symlinkat("new", root, "link") == 0);
        assert(owner(root, "new") == 0 && owner(root, "directory/inner") == 1000 && owner(root, "of-1000-1") == 1000);
        assert(mkdirat(root, "of-0-1", 0755) == 0);     /* opaque, over the whiteout */
}

static void check_on_disk(void) {
        struct stat st;

        assert(owner(AT_FDCWD, path_of("fs/up/of-0-0")) == 0 && owner(AT_FDCWD, path_of("fs/up/of-1000-1")) == 1000);
        assert(owner(AT_FDCWD, path_of("fs/up/new")) == 0 && owner(AT_FDCWD, path_of("fs/up/directory/inner")) == 1000);
        assert(owner(AT_FDCWD, path_of("fs/up")) == 0 && owner(AT_FDCWD, path_of("fs/work/work")) == 0);
        assert(lstat(path_of("fs/up/link"), &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid == 0);
        assert(stat(path_of("fs/0/of-0-0"), &st) == 0 && st.st_size == 0);     /* the layers stay as they are */
}

static void container(void) {
        struct initsync_overlay overlay = layers(2);
        int fd = opened(&overlay);

        assert(owner(fd, "of-0-0") == 100000 && owner(fd, "of-1000-1") == 101000);
        assert(inside(fd, work_as_a_container) == 0);
        close(fd);
        check_on_disk();
}

static void on(const char *type) {
        const char *why = loop_mount(type, make_dir(path_of("fs")));

        if (why)
                forked_skip("%s: %s", type, why);
        container();
        umount2(path_of("fs"), MNT_DETACH);
}

static void on_tmpfs(void) {
        make_tmpfs(path_of("fs"));
        container();
}

static void on_ext4(void) {
        on("ext4");
}

static void on_xfs(void) {
        on("xfs");
}

/* A kernel that takes no detached layers: 6.12 says EBADF, 6.1 EOPNOTSUPP. */
static void without_descriptors(int error_of_kernel) {
        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, error_of_kernel);
        make_tmpfs(path_of("fs"));
        container();
}

static void like_6_12(void) {
        without_descriptors(EBADF);
}

static void like_6_1(void) {
        without_descriptors(EOPNOTSUPP);
}

static void look_like_root_alone(int root) {
        (void)root;
}

static void many(size_t n) {
        struct initsync_overlay overlay;
        int before, fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(n);
        before = mount_count();
        fd = opened(&overlay);
        assert(mount_count() == before);
        assert(owner(fd, "of-1000-0") == 101000);
        snprintf(names[0], sizeof(names[0]), "of-1000-%zu", n - 1);
        assert(owner(fd, names[0]) == 101000);
        assert(inside(fd, look_like_root_alone) == 0);
        close(fd);
}

static void most_layers(void) {
        many(INITSYNC_OVERLAY_LAYERS_MAX);
}

static void most_layers_like_6_12(void) {
        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
        many(INITSYNC_OVERLAY_LAYERS_MAX);
}

static void too_many_layers(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(INITSYNC_OVERLAY_LAYERS_MAX + 1);
        refused(&overlay, -E2BIG, "", "at most 500 layers, not 501");
}

/* The uppermost layer is the first. */
static void order(void) {
        struct initsync_overlay overlay;
        char text[16];
        int fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        assert(file_write(make_file(path_of("fs/0/same"), 0), "zero") == 0);
        assert(file_write(make_file(path_of("fs/1/same"), 0), "one") == 0);
        overlay.upper = overlay.work = NULL;
        fd = opened(&overlay);
        assert(fchdir(fd) == 0 && file_read("same", text, sizeof(text)) == 0 && strcmp(text, "zero") == 0);
        assert(mkdirat(fd, "directory", 0755) < 0 && errno == EROFS);
        assert(chdir("/") == 0);
        close(fd);
        overlay.uids = overlay.gids = NULL;
        overlay.n_uids = overlay.n_gids = 0;
        overlay.attr_set = SYS_MOUNT_ATTR_RDONLY;
        fd = opened(&overlay);
        assert(owner(fd, "of-1000-0") == 1000);
        close(fd);
}

static void unmapped(void) {
        struct initsync_overlay overlay;
        int fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        overlay.uids = overlay.gids = NULL;
        overlay.n_uids = overlay.n_gids = 0;
        fd = opened(&overlay);
        append(fd, "of-1000-0");
        assert(owner(AT_FDCWD, path_of("fs/up/of-1000-0")) == 1000);
        close(fd);
}

/* A map without root: any of its ids does. */
static void map_without_root(void) {
        static const struct initsync_idmap people = { 1000, 101000, 1000 };
        struct initsync_overlay overlay;
        int fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        assert(chown(overlay.upper, 1000, 1000) == 0 && chown(overlay.work, 1000, 1000) == 0);
        overlay.uids = overlay.gids = &people;
        fd = opened(&overlay);
        assert(owner(fd, "of-1000-0") == 101000 && owner(fd, "of-0-0") == 65534);
        close(fd);
}

static void options_and_attributes(void) {
        static const char *const options[] = { "userxattr", "index=off" };
        char line[4096];
        struct initsync_overlay overlay;
        int fd, old;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        overlay.options = options;
        overlay.n_options = 2;
        overlay.attr_set = 2 | 8;       /* MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC */
        make_dir(path_of("merged"));
        for (old = 0; old < 2; old++) {
                if (old)
                        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
                fd = opened(&overlay);
                assert(sys_move_mount(fd, "", AT_FDCWD, path_of("merged"), SYS_MOVE_MOUNT_F_EMPTY_PATH) == 0);
                close(fd);
                assert(mount_line(path_of("merged"), line, sizeof(line)) == 0);
                assert(strstr(line, "nosuid") && strstr(line, "noexec") && strstr(line, "userxattr"));
                assert(!strstr(line, namespace_dir()) || strstr(line, namespace_dir()) == strstr(line, path_of("merged")));
                assert(umount2(path_of("merged"), 0) == 0);
        }
}

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
                fd = opened(&overlay);
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
                close(opened(&overlay));
                assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
                assert(setfsuid((uid_t)-1) == 0 && setfsgid((gid_t)-1) == 0);
                assert(sys_capget(after) == 0 && memcmp(before, after, sizeof(before)) == 0);
        }
        assert(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
        close(opened(&overlay));
        assert(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
        assert(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

/* overlayfs that cannot empty its work directory mounts read-only, and returns success. */
static void silently_read_only(void) {
        struct initsync_overlay overlay;
        int fd, flags = FS_IMMUTABLE_FL;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        fd = open(make_dir(path_of("fs/work/work")), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_file(path_of("fs/work/work/left"), 0);
        if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
                forked_skip("FS_IOC_SETFLAGS on tmpfs: %s", strerror(errno));
        refused(&overlay, -EROFS, "fsconfig", "read-only");
        flags = 0;
        assert(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
        close(fd);
        close(opened(&overlay));
}

static void upper_and_work_apart(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        assert(mount("other", overlay.work, "tmpfs", 0, NULL) == 0);
        refused(&overlay, -EXDEV, "statx", "work: ");
        assert(umount2(overlay.work, 0) == 0);
        assert(rmdir(overlay.work) == 0);
        refused(&overlay, -ENOENT, "openat2", "/fs/work");
}

static int linux_is_at_least(int major, int minor) {
        struct utsname name;
        int has[2];

        assert(uname(&name) == 0 && sscanf(name.release, "%d.%d", &has[0], &has[1]) == 2);
        return has[0] > major || (has[0] == major && has[1] >= minor);
}

static void bad_layers(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(3);
        lower[1] = "/does/not/exist";
        refused(&overlay, -ENOENT, "openat2", "overlay: lower[1]: openat2 /does/not/exist");
        lower[1] = "/proc/sys";
        refused(&overlay, -EINVAL, source_mapped_by(), "overlay: lower[1]: ");
        assert(strstr(error.text, "proc"));
        lower[1] = make_file(path_of("fs/file"), 0);
        if (initsync_feature("overlay_layer_fd") == 1)
                refused(&overlay, -EINVAL, "fsconfig", "overlay: fsconfig of ");
        else
                refused(&overlay, -EINVAL, "move_mount", "overlay: move_mount of ");
        lower[1] = names[1];
        overlay.options = (const char *[]){ "no_such_option" };
        overlay.n_options = 1;
        /* mount(2), which is in its place on older kernels than Linux 6.5, does not say which. */
        if (linux_is_at_least(6, 5))
                refused(&overlay, -EINVAL, "fsconfig", "no_such_option");
        else
                refused(&overlay, -EINVAL, "mount", "overlay: mount: ");
}

static void wrong(struct initsync_overlay overlay, const char *part) {
        refused(&overlay, -EINVAL, "", part);
}

#define WRONG(change, part) wrong((copy = overlay, change, copy), part)

static void wrong_arguments(void) {
        static const char *const layer[] = { "lowerdir+=/" }, *const comma[] = { "volatile,upperdir=/" };
        static const struct initsync_idmap past = { 0, 4294967295u, 2 };
        struct initsync_overlay overlay, copy;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        WRONG(copy.size = 1, "size");
        WRONG(copy.n_lower = 0, "lower");
        WRONG(copy.lower = NULL, "lower");
        WRONG(copy.upper = NULL, "upper and work");
        WRONG((copy.upper = copy.work = NULL, copy.n_lower = 1), "two layers");
        WRONG(copy.upper = "up", "upper");
        WRONG(copy.upper = "/fs/../up", "upper");
        WRONG(copy.work = "/fs/./work", "work");
        WRONG(copy.work = "/fs//work", "work");
        WRONG(copy.n_uids = 0, "uids and gids");
        WRONG(copy.uids = NULL, "uids and gids");
        WRONG((copy.options = layer, copy.n_options = 1), "options[0]");
        WRONG((copy.options = comma, copy.n_options = 1), "options[0]");
        WRONG(copy.n_options = 1, "options");
        WRONG(copy.attr_set = 0x00100000, "attr_set");
        lower[1] = "relative";
        WRONG((void)0, "lower[1]");
        lower[1] = names[1];
        overlay.uids = &past;
        refused(&overlay, -ERANGE, "", "uids");
}

static void not_permitted(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        deny_call(NR_fsopen, EPERM);
        refused(&overlay, -EPERM, "fsopen", "overlay: fsopen");
        overlay.uids = overlay.gids = NULL;
        overlay.n_uids = overlay.n_gids = 0;
        refused(&overlay, -EPERM, "fsopen", "overlay: fsopen");
}

static void no_descriptors(void) {
        struct rlimit limit = { 0, 0 };
        struct initsync_overlay overlay;
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
                FORKED(on_tmpfs, FORKED_ROOT),
                FORKED(on_ext4, FORKED_ROOT),
                FORKED(on_xfs, FORKED_ROOT),
                FORKED(like_6_12, FORKED_ROOT),
                FORKED(like_6_1, FORKED_ROOT),
                FORKED(most_layers, FORKED_ROOT),
                FORKED(most_layers_like_6_12, FORKED_ROOT),
                FORKED(too_many_layers, FORKED_ROOT),
                FORKED(order, FORKED_ROOT),
                FORKED(unmapped, FORKED_ROOT),
                FORKED(map_without_root, FORKED_ROOT),
                FORKED(options_and_attributes, FORKED_ROOT),
                FORKED(no_mount_event, FORKED_ROOT),
                FORKED(embedder_is_untouched, FORKED_ROOT),
                FORKED(silently_read_only, FORKED_ROOT),
                FORKED(upper_and_work_apart, FORKED_ROOT),
                FORKED(bad_layers, FORKED_ROOT),
                FORKED(wrong_arguments, FORKED_ROOT),
                FORKED(not_permitted, FORKED_ROOT),
                FORKED(no_descriptors, FORKED_ROOT),
                FORKED(killed_helper, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-overlay", tests, sizeof(tests) / sizeof(tests[0]));
}
