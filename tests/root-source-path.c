/* SPDX-License-Identifier: MIT */
/* initsync_mount_open(): how a path is resolved, and what may lie at its end. */
#include "support/support.h"

#include <initsync.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/source.h"
#include "support/supervised.h"

static mode_t type_of(int fd) {
        struct stat st;

        assert(fstat(fd, &st) == 0);
        return st.st_mode & S_IFMT;
}

static void symlinks(void) {
        int fd;

        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 0);
        assert(symlink("source", path_of("link")) == 0 && symlink("link", path_of("link2")) == 0);
        assert(symlink("a", path_of("b")) == 0 && symlink("b", path_of("a")) == 0);
        fd = source_open(path_of("link2"), NULL, 0);
        assert(type_of(fd) == S_IFDIR && owner(fd, "file") == 0);
        close(fd);
        fd = source_open(path_of("link/file"), NULL, 0);
        assert(type_of(fd) == S_IFREG);
        close(fd);
        source_fails(path_of("a"), NULL, 0, -ELOOP, "openat2", "too many symlinks");
        assert(symlink("nowhere", path_of("dangling")) == 0);
        source_fails(path_of("dangling"), NULL, 0, -ENOENT, "openat2", NULL);
}

static void magic_links(void) {
        const char *const through[] = { "/proc/self/root/etc", "/proc/self/cwd", "/proc/self/fd/0",
                                        "/proc/thread-self/root" };
        size_t i;
        int fd;

        assert(chdir(namespace_dir()) == 0);
        for (i = 0; i < sizeof(through) / sizeof(through[0]); i++)
                source_fails(through[i], NULL, 0, -ELOOP, "openat2", "magic link");
        /* A link of the file system's own that leads to one. */
        assert(symlink("/proc/self/cwd", path_of("link")) == 0);
        source_fails(path_of("link"), NULL, 0, -ELOOP, "openat2", "magic link");
        make_file(path_of("file"), 0);
        fd = source_open("/proc/self/cwd", NULL, INITSYNC_MOUNT_MAGICLINK | INITSYNC_MOUNT_RECURSIVE);
        assert(owner(fd, "file") == 0);
        close(fd);
        assert(chdir("/") == 0);
}

/* A FIFO without a writer that is opened hangs; a device that no driver has, and a socket, cannot be opened at all. */
static void kinds(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd, listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert(mkfifo(path_of("fifo"), 0600) == 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path_of("socket"));
        assert(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
        close(listener);
        fd = source_open(path_of("fifo"), NULL, 0);
        assert(type_of(fd) == S_IFIFO);
        close(fd);
        fd = source_open(path_of("socket"), NULL, 0);
        assert(type_of(fd) == S_IFSOCK);
        close(fd);
        if (!namespace_root())
                return;
        assert(mknod(path_of("device"), S_IFCHR | 0600, makedev(511, 1048575)) == 0);
        assert(open(path_of("device"), O_RDONLY | O_CLOEXEC) < 0 && errno == ENXIO);
        fd = source_open(path_of("device"), source_map(100000, 65536), 0);
        assert(type_of(fd) == S_IFCHR && owner(fd, "") == 100000);
        close(fd);
        fd = source_open(path_of("fifo"), source_map(100000, 65536), 0);
        assert(type_of(fd) == S_IFIFO && owner(fd, "") == 100000);
        close(fd);
}

static void wrong_paths(void) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error;
        static char long_path[5000];

        make_file(path_of("file"), 0);
        source_fails(path_of("missing"), NULL, 0, -ENOENT, "openat2", "No such file");
        source_fails(path_of("file/below"), NULL, 0, -ENOTDIR, "openat2", "Not a directory");
        mount.source = path_of("%0300d", 1);
        source_fails_as(&mount, -ENAMETOOLONG, "openat2", "too long", &error);
        assert(strncmp(error.path, "\xe2\x80\xa6", 3) == 0);      /* cut in front */
        mount.source = "relative";
        source_fails_as(&mount, -EINVAL, "", "source", &error);
        memset(long_path, '/', sizeof(long_path) - 1);
        mount.source = long_path + sizeof(long_path) - 1 - 4096;
        source_fails_as(&mount, -EINVAL, "", "source", &error);
        mount.source++;
        mount.flags = INITSYNC_MOUNT_RECURSIVE;
        close(source_open(mount.source, NULL, INITSYNC_MOUNT_RECURSIVE));
        mount.source = NULL;
        source_fails_as(&mount, -EINVAL, "", "source", &error);
}

static void denied_path(void) {
        make_dir(path_of("closed"));
        make_dir(path_of("closed/inside"));
        assert(chmod(path_of("closed"), 0700) == 0);
        namespace_ordinary();
        source_fails(path_of("closed/inside"), NULL, 0, -EACCES, "openat2", NULL);
        source_fails(namespace_dir(), NULL, 0, -EPERM, "open_tree", NULL);
}

static uint64_t mount_id(int fd) {
        struct sys_statx stx;

        assert(sys_statx(fd, "", AT_EMPTY_PATH, SYS_STATX_MNT_ID, &stx) == 0);
        return stx.mnt_id;
}

static void mount_point_stays(void) {
        char before[8192], after[8192];
        int fd, at, mounts;
        uint64_t id;

        make_tmpfs(path_of("source"));
        make_tmpfs(path_of("source/sub"));
        at = open(path_of("source"), O_PATH | O_CLOEXEC);
        id = mount_id(at);
        mounts = mount_count();
        assert(mount_line(path_of("source"), before, sizeof(before)) == 0);
        fd = source_open(path_of("source"), NULL, INITSYNC_MOUNT_RECURSIVE);
        assert(mount_id(fd) != id);
        close(fd);
        close(at);
        at = open(path_of("source"), O_PATH | O_CLOEXEC);
        assert(mount_id(at) == id && mount_count() == mounts);
        assert(mount_line(path_of("source"), after, sizeof(after)) == 0 && strcmp(before, after) == 0);
        close(at);
}

/* A31: what is given out ends at its root; a plain descriptor of the directory would not. */
static void no_way_up(void) {
        struct stat root, up;
        int fd, plain;

        make_tmpfs(path_of("source"));
        make_dir(path_of("source/dir"));
        make_file(path_of("source/secret"), 0);
        plain = open(path_of("source/dir"), O_PATH | O_CLOEXEC);
        fd = source_open(path_of("source/dir"), NULL, 0);
        assert(owner(plain, "../secret") == 0);
        assert(owner(fd, "../secret") == -1);
        assert(fstat(fd, &root) == 0 && fstatat(fd, "..", &up, 0) == 0);
        assert(root.st_ino == up.st_ino && root.st_dev == up.st_dev);
        close(fd);
        close(plain);
}

/* A daemon of another process group than its visitors; a visitor that asks for the mount waits for it. */
static int visit(const char *at) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        pid_t pid = process_fork();
        int fd;

        if (pid == 0) {
                mount.source = at;
                mount.flags = INITSYNC_MOUNT_AUTOMOUNT;
                _exit(-initsync_mount_open(&mount, &fd, NULL));
        }
        return pid;
}

/* A37: the directory of an automount is as good as any while nobody asks for more; then its daemon gets word. */
static void automount_is_left_alone(void) {
        char packet[512];
        int ends[2], fd, visitor, daemon = process_fork();
        struct pollfd word;

        if (daemon == 0)
                for (;;)
                        pause();
        assert(setpgid(daemon, daemon) == 0);
        make_dir(path_of("auto"));
        assert(pipe2(ends, O_CLOEXEC) == 0);
        word = (struct pollfd){ .fd = ends[0], .events = POLLIN };
        snprintf(packet, sizeof(packet), "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", ends[1], daemon);
        if (mount("test", path_of("auto"), "autofs", 0, packet) < 0) {
                fd = errno;
                process_end(daemon);
                forked_skip("autofs: %s", strerror(fd));
        }
        fd = source_open(path_of("auto"), NULL, 0);
        assert(type_of(fd) == S_IFDIR);
        close(fd);
        assert(poll(&word, 1, 0) == 0);
        visitor = visit(path_of("auto"));
        assert(poll(&word, 1, 5000) == 1 && read(ends[0], packet, sizeof(packet)) > 0);
        process_end(visitor);
        process_end(daemon);
        umount2(path_of("auto"), MNT_DETACH);
        close(ends[0]);
        close(ends[1]);
}

static void filters(void) {
        /* Nothing may take openat2's place: a path is not resolved without its rules. */
        deny_call(NR_openat2, ENOSYS);
        make_tmpfs(path_of("source"));
        source_fails(path_of("source"), NULL, 0, -ENOSYS, "openat2", NULL);
}

/* Somebody renames all the time (L12). Whoever still tries when he could have known gets another answer. */
static long busy_for_long(int call) {
        return call < 2000 ? -EAGAIN : -ESTALE;
}

static void always_busy(void) {
        supervised(NR_openat2, busy_for_long);
        source_fails(path_of("source"), NULL, 0, -EAGAIN, "openat2", "renamed");
        assert(supervised_calls() > 0 && supervised_calls() < 1000);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED_BOTH(symlinks, 0),
                FORKED(magic_links, 0),
                FORKED_BOTH(kinds, 0),
                FORKED(wrong_paths, 0),
                FORKED(denied_path, FORKED_ROOT | FORKED_EXEC),
                FORKED(mount_point_stays, 0),
                FORKED(no_way_up, 0),
                FORKED(automount_is_left_alone, FORKED_ROOT),
                FORKED(filters, 0),
                FORKED(always_busy, FORKED_EXEC | FORKED_KEEPS),
        };

        return forked_main(argc, argv, "root-source-path", tests, sizeof(tests) / sizeof(tests[0]));
}
