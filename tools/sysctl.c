/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include "cleanup.h"
#include "kernel.h"
#include "say.h"
#include "sysctl.h"

#define PROC_MAGIC 0x9fa0
#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* Which namespace has which parameters for itself; a name with a '/' at the end stands for all below it. */
static const struct {
        const char *path, *type;
        int flag;
} known[] = {
        { "net/",                       "network",      CLONE_NEWNET },
        { "fs/mqueue/",                 "ipc",          CLONE_NEWIPC },
        { "kernel/msgmax",              "ipc",          CLONE_NEWIPC },
        { "kernel/msgmnb",              "ipc",          CLONE_NEWIPC },
        { "kernel/msgmni",              "ipc",          CLONE_NEWIPC },
        { "kernel/sem",                 "ipc",          CLONE_NEWIPC },
        { "kernel/shmall",              "ipc",          CLONE_NEWIPC },
        { "kernel/shmmax",              "ipc",          CLONE_NEWIPC },
        { "kernel/shmmni",              "ipc",          CLONE_NEWIPC },
        { "kernel/shm_rmid_forced",     "ipc",          CLONE_NEWIPC },
        { "kernel/domainname",          "uts",          CLONE_NEWUTS },
        { "user/",                      "user",         CLONE_NEWUSER },
};

/*
 * As sysctl(8) has it, the first separator decides: with '.' a '/' stands for a '.' inside of a name, as in
 * "net.ipv4.conf.eth0/100.forwarding".
 */
static char *path_of(const char *name) {
        const char *first = name + strcspn(name, "./");
        char *path = strdup(name), *p;

        for (p = path; path && *first == '.' && *p; p++)
                *p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
        return path;
}

/* No more than names, so that nothing in it leads elsewhere. */
static bool plain(const char *path) {
        size_t n;

        for (; ; path += n + 1) {
                n = strcspn(path, "/");
                if (n == 0 || (path[0] == '.' && (n == 1 || (n == 2 && path[1] == '.'))))
                        return false;
                if (!path[n])
                        return true;
        }
}

static int check(const struct node *node, struct sysctl *sysctl, int namespaces, struct initsync_error *reterr) {
        const char *path = sysctl->path;
        size_t i, n;

        if (!plain(path))
                return node_refuse(node, reterr, -EINVAL, "no name of a parameter");
        if (strcmp(path, "kernel/hostname") == 0)
                return node_refuse(node, reterr, -EINVAL, "said by hostname");
        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                n = strlen(known[i].path);
                if (known[i].path[n - 1] == '/' ? strncmp(path, known[i].path, n) != 0 : strcmp(path, known[i].path) != 0)
                        continue;
                if (!(namespaces & known[i].flag))
                        return node_refuse(node, reterr, -EINVAL, "without a %s namespace in linux.namespaces",
                                           known[i].type);
                sysctl->flag = known[i].flag;
                return 0;
        }
        return node_refuse(node, reterr, -EINVAL, "no namespace has it for itself: it would be the host's");
}

int sysctls_read(struct sysctls *sysctls, const struct node *linux_, int namespaces, struct initsync_error *reterr) {
        struct node object, node;
        struct sysctl *one;
        int r;

        r = node_member(linux_, "sysctl", json_type_object, &object, reterr);
        if (r <= 0 || json_object_object_length(object.value) == 0)
                return r < 0 ? r : 0;
        sysctls->list = calloc((size_t)json_object_object_length(object.value), sizeof(*sysctls->list));
        if (!sysctls->list)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        json_object_object_foreach(object.value, key, value) {
                (void)value;
                r = node_required(&object, key, json_type_string, &node, reterr);
                if (r < 0)
                        return r;
                one = &sysctls->list[sysctls->n++];
                *one = (struct sysctl){ .name = key, .value = node_string(&node), .path = path_of(key) };
                if (!one->path)         /* ANALYZED(malloc-leak): sysctls_free() */
                        return fault_call(reterr, -ENOMEM, "strdup", NULL);
                r = check(&node, one, namespaces, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

void sysctls_free(struct sysctls *sysctls) {
        while (sysctls->n > 0)
                free(sysctls->list[--sysctls->n].path);
        free(sysctls->list);
        sysctls->list = NULL;
}

/*
 * The directory sys of a procfs: of one of our own, over which nothing can be mounted; or, where a user namespace may have
 * none, of the host's, which must be one.
 */
static int open_directory(int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int context = kernel_fsopen("proc"), tree = -1, fd = -1;
        struct statfs st;

        if (context >= 0 && kernel_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
                tree = kernel_fsmount(context, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (tree < 0)
                tree = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (tree < 0 || fstatfs(tree, &st) < 0)
                return fault_call(reterr, -errno, tree < 0 ? "open" : "fstatfs", "/proc");
        if ((unsigned long)st.f_type != PROC_MAGIC)
                return fault(reterr, -EXDEV, "/proc: is no procfs");
        fd = kernel_openat2(tree, "sys", O_PATH | O_DIRECTORY, RESOLVE);
        if (fd < 0)
                return fault_call(reterr, fd, "openat2", "/proc/sys");
        *ret_fd = take_fd(&fd);
        return 0;
}

static int write_one(const struct sysctl *sysctl, int directory, struct initsync_error *reterr) {
        const char *value = sysctl->value[0] ? sysctl->value : "\n";
        _cleanup_fd_ int fd = kernel_openat2(directory, sysctl->path, O_WRONLY, RESOLVE);
        ssize_t n;

        if (fd < 0)
                return fault_call(reterr, fd, "openat2", sysctl->path);
        n = write(fd, value, strlen(value));
        if (n < 0)
                return fault_call(reterr, -errno, "write", sysctl->value);
        return (size_t)n == strlen(value) ? 0 : fault(reterr, -EIO, "%s: write: the end of it was not taken", sysctl->value);
}

int sysctls_write(const struct sysctls *sysctls, struct initsync_error *reterr) {
        _cleanup_fd_ int directory = -1;
        size_t i;
        int r;

        if (sysctls->n == 0)
                return 0;
        r = open_directory(&directory, reterr);
        for (i = 0; r == 0 && i < sysctls->n; i++) {
                r = write_one(&sysctls->list[i], directory, reterr);
                if (r < 0)
                        fault_in(reterr, "%s", sysctls->list[i].name);
        }
        return r < 0 ? fault_in(reterr, "config.json: linux.sysctl") : 0;
}
