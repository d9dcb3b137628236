/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include "cleanup.h"
#include "kernel.h"
#include "mount_type.h"
#include "say.h"
#include "stage.h"
#include "tree.h"

/* fsconfig(2) copies a string of at most 256 bytes with its NUL. */
#define VALUE_LIMIT 255

/* The file systems of the kernel's own: what they show is not stored anywhere, and shared with others who have them. */
static const struct type {
        const char *name;
        const char *namespace;  /* whose owner may mount it */
        const char *hidden;     /* where nothing may be hidden in the surrounding container's one */
} types[] = {
        { "proc",    "PID",     "/proc" },
        { "sysfs",   "network", "/sys" },
        { "mqueue",  "IPC",     NULL },
        { "cgroup2", "cgroup",  NULL },
        { "cgroup",  "cgroup",  NULL },
        { "devpts",  NULL,      NULL },
        { "tmpfs",   NULL,      NULL },
};

static const struct type *find_type(const char *name) {
        size_t i;

        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (strcmp(types[i].name, name) == 0)
                        return &types[i];
        return NULL;
}

/* What the file system itself has to say of a failure, in front of the call and its errno. */
static int fault_log(struct initsync_error *reterr, int code, const char *call, const char *what, int fd) {
        char line[256] = "";
        ssize_t n = read(fd, line, sizeof(line) - 1);

        fault_call(reterr, code, call, what);
        if (n <= 0)
                return code;
        line[n] = '\0';
        line[strcspn(line, "\n")] = '\0';
        /* "e " for an error, "w " or "i " in front. */
        return fault_in(reterr, "%s", n > 2 && line[1] == ' ' ? line + 2 : line);
}

/* Why somebody who is root in a user namespace does not get the file system @name. */
static int say_why(struct initsync_error *reterr, int code, const char *call, const char *name) {
        const struct type *type = find_type(name);

        if (code == -ENODEV)
                return fault_in(reterr, "a file system that this kernel does not have");
        if (code != -EPERM)
                return code;
        if (type && type->hidden && strcmp(call, "fsmount") == 0)
                return fault_in(reterr, "a part of %s is masked or read-only here; a new one would show it", type->hidden);
        if (type && type->namespace)
                return fault_in(reterr, "it takes a %s namespace that belongs to the same user namespace", type->namespace);
        return type ? code : fault_in(reterr, "a file system that takes root outside of a user namespace, perhaps");
}

static int fault_type(struct initsync_error *reterr, int code, const char *call, const char *name, int fd) {
        if (fd >= 0)
                fault_log(reterr, code, call, name, fd);
        else
                fault_call(reterr, code, call, name);
        return say_why(reterr, code, call, name);
}

static bool mapped(const char *file, unsigned long id) {
        unsigned long inside, count;
        bool found = false;
        FILE *map = fopen(file, "re");

        while (map && !found && fscanf(map, "%lu %*u %lu", &inside, &count) == 2)
                found = id >= inside && id - inside < count;
        if (map)
                fclose(map);
        return found || !map;
}

static bool unmapped_id(const char *option) {
        bool user = strncmp(option, "uid=", 4) == 0, group = strncmp(option, "gid=", 4) == 0;

        return (user || group) && !mapped(user ? "/proc/thread-self/uid_map" : "/proc/thread-self/gid_map",
                                          strtoul(option + 4, NULL, 10));
}

static int say_length(struct initsync_error *reterr, int code, const char *value) {
        return value && strlen(value) > VALUE_LIMIT ?
               fault_in(reterr, "longer than the %d bytes that fsconfig() takes", VALUE_LIMIT) : code;
}

static int fault_option(struct initsync_error *reterr, int code, const char *option, const char *value, int fd) {
        fault_log(reterr, code, "fsconfig", option, fd);
        if (code == -EINVAL && unmapped_id(option))
                return fault_in(reterr, "an id that this user namespace does not have");
        return say_length(reterr, code, value);
}

static int configure(int fd, const char *option, struct initsync_error *reterr) {
        const char *equals = strchr(option, '=');
        char key[64];
        int r;

        if (!equals) {
                r = kernel_fsconfig(fd, FSCONFIG_SET_FLAG, option, NULL);
                return r < 0 ? fault_option(reterr, r, option, NULL, fd) : 0;
        }
        if ((size_t)(equals - option) >= sizeof(key))
                return fault_call(reterr, -EINVAL, "fsconfig", option);
        memcpy(key, option, (size_t)(equals - option));
        key[equals - option] = '\0';
        r = kernel_fsconfig(fd, FSCONFIG_SET_STRING, key, equals + 1);
        return r < 0 ? fault_option(reterr, r, option, equals + 1, fd) : 0;
}

int mount_type_open(const char *type, const char *source, const char *const *data, size_t n, bool read_only,
                    uint64_t attributes, int *ret_tree, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1, tree = -1;
        size_t i;
        int r;

        if (tree_missing(&r)) {
                r = tree_make(type, source, data, n, read_only, attributes, ret_tree, reterr);
                return r < 0 ? say_why(reterr, r, "fsmount", type) : 0;
        }
        fd = kernel_fsopen(type);
        if (fd < 0)
                return fault_type(reterr, fd, "fsopen", type, -1);
        r = kernel_fsconfig(fd, FSCONFIG_SET_STRING, "source", source);
        if (r < 0) {
                fault_log(reterr, r, "fsconfig", source, fd);
                return say_length(reterr, r, source);
        }
        if (read_only) {
                r = kernel_fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL);
                if (r < 0)
                        return fault_log(reterr, r, "fsconfig", "ro", fd);
        }
        for (i = 0; i < n; i++) {
                r = configure(fd, data[i], reterr);
                if (r < 0)
                        return r;
        }
        r = kernel_fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL);
        /* Before Linux 6.15 devpts looks at its options only now, and does not say which one it was. */
        for (i = 0; r == -EINVAL && i < n; i++)
                if (unmapped_id(data[i]))
                        return fault_option(reterr, r, data[i], NULL, fd);
        if (r < 0)
                return fault_type(reterr, r, "fsconfig", type, fd);
        tree = kernel_fsmount(fd, (unsigned)attributes);
        if (tree < 0)
                return fault_type(reterr, tree, "fsmount", type, fd);
        *ret_tree = take_fd(&tree);
        return 0;
}

int mount_type_reconfigure(const char *what, const char *const *data, size_t n, int tree, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        size_t i;
        int r = 0;

        if (tree_missing(&r))
                return stage_reconfigure(tree, data, n, what, reterr);
        fd = kernel_fspick(tree);
        if (fd < 0)
                return fault_call(reterr, fd, "fspick", what);
        for (i = 0; r == 0 && i < n; i++)
                r = configure(fd, data[i], reterr);
        if (r < 0)
                return r;
        r = kernel_fsconfig(fd, KERNEL_CMD_RECONFIGURE, NULL, NULL);
        return r < 0 ? fault_log(reterr, r, "fsconfig", what, fd) : 0;
}

bool mount_type_later(const struct bundle_mount *mount) {
        return (mount->want.attr_set & MOUNT_ATTR_RDONLY) && mount->type &&
               (mount->kind == MOUNT_CGROUP || strcmp(mount->type, "tmpfs") == 0);
}

bool mount_type_ordinary(const struct bundle_mount *mount) {
        const struct type *type = mount->kind == MOUNT_FILE_SYSTEM ? find_type(mount->type) : NULL;

        return type && type->hidden;
}

bool mount_type_hidden(int fd) {
        struct statfs st;

        return fstatfs(fd, &st) == 0 && (st.f_type == PROC_SUPER_MAGIC || st.f_type == SYSFS_MAGIC);
}

int mount_type_make(const struct bundle_mount *mount, int *ret_tree, struct initsync_error *reterr) {
        uint64_t attributes = mount->want.attr_set;
        bool read_only = attributes & MOUNT_ATTR_RDONLY;

        if (mount_type_later(mount))
                attributes &= ~(uint64_t)MOUNT_ATTR_RDONLY;
        /* One of the kernel's own may be the host's too, and is left as it is. */
        return mount_type_open(mount->type, mount->want.source, mount->data, mount->n_data,
                               read_only && !find_type(mount->type), attributes, ret_tree, reterr);
}
