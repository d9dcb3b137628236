/* SPDX-License-Identifier: MIT */

/*
 * hostile NAME SCRATCH [PID] - what a container's program can try to change the file that NAME in /proc leads to
 *
 * Prints "WAY: ok" or "WAY: CAUSE" a line; "ok" is what changed something, not what merely opened it. SCRATCH is an empty
 * file to mount over. With PID it also traces that process, and takes its descriptors and mappings.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <linux/fs.h>

#define NR_open_tree 428
#define NR_move_mount 429
#define NR_fsconfig 431
#define NR_fspick 433
#define NR_pidfd_open 434
#define NR_pidfd_getfd 438
#define NR_mount_setattr 442

static const char *name, *scratch;
static char data[] = "#!/bin/hostile\n";

/* A writable descriptor is nothing yet: a sealed file gives one away. */
static int spoil(int fd) {
        if (fd < 0)
                return -1;
        if (write(fd, data, sizeof(data)) >= 0 || pwrite(fd, data, sizeof(data), 0) >= 0)
                return 0;
        if (ftruncate(fd, 0) == 0 || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0)
                return 0;
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
}

static int spoil_path(const char *path) {
        return spoil(open(path, O_RDWR));
}

static int read_write(void) {
        return spoil_path(name);
}

static int write_only(void) {
        return spoil(open(name, O_WRONLY | O_APPEND));
}

static int open_truncate(void) {
        return open(name, O_WRONLY | O_TRUNC);
}

static int truncate_it(void) {
        return truncate(name, 0);
}

static int held_open(void) {
        char again[64];

        snprintf(again, sizeof(again), "/proc/self/fd/%d", open(name, O_RDONLY));
        return spoil_path(again);
}

static int through_link(void) {
        char link[4096];

        snprintf(link, sizeof(link), "%s.link", scratch);
        return linkat(AT_FDCWD, name, AT_FDCWD, link, AT_SYMLINK_FOLLOW) < 0 ? -1 : spoil_path(link);
}

static int mode(void) {
        return chmod(name, 0777) < 0 ? -1 : chmod(name, 04777);
}

static int owner(void) {
        return chown(name, 1, 1);
}

static int times(void) {
        return utimensat(AT_FDCWD, name, NULL, 0);
}

static int attribute(void) {
        return setxattr(name, "trusted.hostile", "x", 1, 0);
}

static int immutable(void) {
        int flags = FS_IMMUTABLE_FL, fd = open(name, O_RDONLY);

        return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int bind_remount(void) {
        if (mount(name, scratch, NULL, MS_BIND, NULL) < 0 || mount(NULL, scratch, NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
                return -1;
        return spoil_path(scratch);
}

static int remount(void) {
        return mount(NULL, name, NULL, MS_REMOUNT, NULL) < 0 ? -1 : spoil_path(name);
}

static int set_attribute(void) {
        uint64_t attr[4] = { 0, 1, 0, 0 };

        return syscall(NR_mount_setattr, AT_FDCWD, name, 0, attr, sizeof(attr)) < 0 ? -1 : spoil_path(name);
}

static int clone_mount(void) {
        uint64_t attr[4] = { 0, 1, 0, 0 };
        int fd = (int)syscall(NR_open_tree, AT_FDCWD, name, 1);

        if (fd < 0 || syscall(NR_mount_setattr, fd, "", AT_EMPTY_PATH, attr, sizeof(attr)) < 0 ||
            syscall(NR_move_mount, fd, "", AT_FDCWD, scratch, 4) < 0)
                return -1;
        return spoil_path(scratch);
}

/* What mount_setattr(2) cannot, the file system's own flags may. */
static int reconfigure(void) {
        int fd = (int)syscall(NR_fspick, AT_FDCWD, name, 0);

        if (fd < 0 || syscall(NR_fsconfig, fd, 0, "rw", NULL, 0) < 0 || syscall(NR_fsconfig, fd, 7, NULL, NULL, 0) < 0)
                return -1;
        return spoil_path(name);
}

static int by_handle(void) {
        struct {
                struct file_handle head;
                unsigned char bytes[128];
        } handle = { .head.handle_bytes = 128 };
        int id, fd = open(name, O_RDONLY);

        if (fd < 0 || name_to_handle_at(AT_FDCWD, name, &handle.head, &id, AT_SYMLINK_FOLLOW) < 0)
                return -1;
        return spoil(open_by_handle_at(fd, &handle.head, O_RDWR));
}

static const struct {
        const char *name;
        int (*try)(void);
} ways[] = {
        { "read-write", read_write },
        { "write-only", write_only },
        { "open-truncate", open_truncate },
        { "truncate", truncate_it },
        { "held-open", held_open },
        { "link", through_link },
        { "mode", mode },
        { "owner", owner },
        { "times", times },
        { "attribute", attribute },
        { "bind-remount", bind_remount },
        { "remount", remount },
        { "mount_setattr", set_attribute },
        { "open_tree", clone_mount },
        { "fspick", reconfigure },
        { "handle", by_handle },
        { "immutable", immutable },             /* the last: it would stop the others */
};

static void say(const char *way, int r) {
        if (r >= 0)
                printf("%s: ok\n", way);
        else
                printf("%s: %s\n", way, strerror(errno));
        fflush(stdout);
}

/* The descriptors of the process that are open on the file, and its mappings of it. */
static int take(int pid, const char *what, const struct stat *exe) {
        int pidfd = (int)syscall(NR_pidfd_open, pid, 0), taken = -1;
        struct dirent *entry;
        char path[300];
        struct stat st;
        DIR *dir;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
        dir = opendir(path);
        errno = ENOENT;
        while (dir && (entry = readdir(dir))) {
                snprintf(path, sizeof(path), "/proc/%d/%s/%s", pid, what, entry->d_name);
                /* An overlay's file has the number, but not the device, of the one below. */
                if (stat(path, &st) < 0 || st.st_size != exe->st_size || st.st_ino != exe->st_ino)
                        continue;
                if (spoil_path(path) == 0 ||
                    (pidfd >= 0 && spoil((int)syscall(NR_pidfd_getfd, pidfd, atoi(entry->d_name), 0)) == 0))
                        taken = 0;
        }
        if (dir)
                closedir(dir);
        return taken;
}

/* The word at the program's entry, as a debugger sets a breakpoint; put back. */
static int trace(int pid) {
        unsigned long address = 0, word;
        char path[64], line[256];
        FILE *file;
        int status, r;

        snprintf(path, sizeof(path), "/proc/%d/maps", pid);
        file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file))
                if (strstr(line, " r-xp ") && strstr(line, "syncdemo") && !address)
                        address = strtoul(line, NULL, 16);
        if (file)
                fclose(file);
        if (!address || ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
                return -1;
        waitpid(pid, &status, 0);
        word = (unsigned long)ptrace(PTRACE_PEEKTEXT, pid, (void *)address, NULL);
        r = (int)ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)~word);
        ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)word);
        ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return r;
}

int main(int argc, char **argv) {
        struct stat exe;
        size_t i;

        if (argc < 3)
                return 2;
        name = argv[1];
        scratch = argv[2];
        if (stat(name, &exe) < 0) {
                perror(name);
                return 1;
        }
        if (argc > 3) {
                /* First, while there are mappings to be taken. What it changes is the process's own page. */
                say("(trace)", trace(atoi(argv[3])));
                say("descriptors", take(atoi(argv[3]), "fd", &exe));
                say("mappings", take(atoi(argv[3]), "map_files", &exe));
        }
        for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
                say(ways[i].name, ways[i].try());
        printf("done\n");
        return 0;
}
