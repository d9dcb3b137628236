/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include "cleanup.h"
#include "kernel.h"
#include "mount_cgroup.h"
#include "mount_type.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"

#define CGROUPS "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define VERSION_1 " - cgroup "
#define VERSION_2 " - cgroup2 "
#define LOCKED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* A line of mountinfo: a hierarchy of version 1, or the one of version 2. */
struct hierarchy {
        char *device, *root, *point, *options;
};

static void filep(FILE **file) {
        if (*file)
                fclose(*file);
}

/* Takes @line apart; false for another type of mount, and for one whose path is none, or we would have to unescape. */
static bool parse(char *line, const char *type, struct hierarchy *ret) {
        char *dash = strstr(line, type), *rest;

        if (!dash)
                return false;
        *dash = '\0';
        dash += strlen(type);
        strtok_r(line, " ", &rest);
        strtok_r(NULL, " ", &rest);
        ret->device = strtok_r(NULL, " ", &rest);
        ret->root = strtok_r(NULL, " ", &rest);
        ret->point = strtok_r(NULL, " ", &rest);
        ret->options = strchr(dash, ' ');
        /* In a mount namespace that exists, /proc may be a file of anybody's. */
        if (!ret->point || ret->point[0] != '/' || !ret->options || strchr(ret->point, '\\'))
                return false;
        ret->options[strcspn(ret->options, "\n")] = '\0';
        ret->options++;
        return true;
}

static bool version_2(void) {
        _cleanup_(filep) FILE *file = NULL;
        _cleanup_free_ char *line = NULL;
        struct hierarchy hierarchy;
        struct statfs st;
        size_t size = 0;
        bool found = false;

        if (statfs(CGROUPS, &st) == 0 && (unsigned long)st.f_type == CGROUP2_MAGIC)
                return true;
        file = fopen("/proc/thread-self/mountinfo", "re");
        while (file && !found && getline(&line, &size, file) > 0)
                found = parse(line, VERSION_1, &hierarchy);
        return !found;
}

static int bind(const char *source, uint64_t set, uint64_t clr, int *ret_tree, struct initsync_error *reterr) {
        const struct mount_attributes attr = { .attr_set = set, .attr_clr = clr };
        _cleanup_fd_ int fd = -1, tree = -1;
        int r;

        fd = kernel_openat2(AT_FDCWD, source, O_PATH | O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
        if (fd < 0)
                return fault_call(reterr, fd, "openat2", source);
        r = tree_clone(fd, true, source, &tree, reterr);
        if (r == 0 && (set || clr))
                r = tree_set(tree, false, &attr, source, reterr);
        if (r < 0)
                return r;
        *ret_tree = take_fd(&tree);
        return 0;
}

/* Above the cgroup namespace that asks: the kernel has no name for it there. */
static bool is_above(const char *path) {
        return strncmp(path, "/..", 3) == 0 && (path[3] == '/' || path[3] == '\0');
}

/* Where in CGROUPS our own group is, as a path; NULL where that is not to be told, or without memory. */
static char *own_group_2(void) {
        _cleanup_(filep) FILE *mounts = fopen("/proc/thread-self/mountinfo", "re");
        _cleanup_(filep) FILE *groups = fopen("/proc/thread-self/cgroup", "re");
        _cleanup_free_ char *line = NULL, *root = NULL, *below = NULL;
        struct hierarchy hierarchy;
        char *path = NULL;
        size_t size = 0;

        while (mounts && getline(&line, &size, mounts) > 0) {
                if (!parse(line, VERSION_2, &hierarchy) || strcmp(hierarchy.point, CGROUPS) != 0)
                        continue;
                free(root);
                root = strdup(hierarchy.root);          /* of the last one, which is on top */
        }
        if (!root || is_above(root))
                return NULL;
        while (groups && !path && getline(&line, &size, groups) > 0) {
                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, "0::/", 4) != 0)
                        continue;
                if (is_above(line + 3) || bundle_below(line + 3, root, &below) <= 0 ||
                    asprintf(&path, CGROUPS "%s", below) < 0)
                        return NULL;
        }
        return path;
}

/* What there is must do: all of it where no namespace is asked for, or else no more than that would show. */
static int bind_existing(const struct bundle_mount *mount, bool namespace, uint64_t set, int *ret_tree,
                         struct initsync_error *reterr) {
        _cleanup_free_ char *own = namespace ? own_group_2() : NULL;
        struct initsync_error error;

        if (namespace && !own)
                return fault_in(reterr, "groups outside of the cgroup namespace would show");
        if (bind(own ? own : CGROUPS, set, mount->want.attr_clr, ret_tree, &error) == 0)
                return 0;
        if (!namespace)
                *reterr = error;
        return reterr->code;
}

int mount_cgroup_make(const struct bundle_mount *mount, bool namespace, int *ret_tree, struct initsync_error *reterr) {
        static const char *const mode[] = { "mode=755" };
        uint64_t set = mount->want.attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY;
        int r = -EPERM;

        if (!version_2()) {
                if (mount->n_data > 0)
                        return fault(reterr, -EINVAL, "%s: no option of control groups of version 1", mount->data[0]);
                return mount_type_open("tmpfs", mount->want.source, mode, 1, false, set | LOCKED, ret_tree, reterr);
        }
        if (namespace)
                r = mount_type_open("cgroup2", mount->want.source, mount->data, mount->n_data, false, set, ret_tree, reterr);
        /* EPERM also where the namespace is not ours, EBUSY while version 1 is in use. */
        if (r != -EPERM && r != -EBUSY)
                return r;
        if (mount->n_data > 0)
                return namespace ? r : fault(reterr, -EINVAL, "%s: takes a cgroup namespace", mount->data[0]);
        return bind_existing(mount, namespace, set, ret_tree, reterr);
}

static bool is_word(const char *list, const char *word, size_t n) {
        const char *p;

        for (p = list; *p; p += strcspn(p, ","), p += *p == ',')
                if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
                        return true;
        return false;
}

/* Our own group in the hierarchy, below its mount point: "" when that is not to be seen there. */
static int own_group(const struct hierarchy *hierarchy, char **ret) {
        _cleanup_(filep) FILE *file = fopen("/proc/thread-self/cgroup", "re");
        _cleanup_free_ char *line = NULL;
        char *names, *group, *below;
        size_t size = 0, n;

        while (file && getline(&line, &size, file) > 0) {
                line[strcspn(line, "\n")] = '\0';
                names = strchr(line, ':');
                group = names ? strchr(names + 1, ':') : NULL;
                if (!group || group == names + 1)
                        continue;
                n = strcspn(names + 1, ",:");
                if (!is_word(hierarchy->options, names + 1, names[1] == 'n' && n > 4 ? (size_t)(group - names - 1) : n))
                        continue;
                if (bundle_below(group + 1, hierarchy->root, &below) <= 0)
                        break;
                *ret = below;
                return 0;
        }
        *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
}

static int open_hierarchy(const struct hierarchy *hierarchy, uint64_t set, int *ret_tree, struct initsync_error *reterr) {
        const char *words[64];
        char *word, *rest;
        size_t n = 0;

        /* The controllers and the name are what tells one hierarchy from another. */
        for (word = strtok_r(hierarchy->options, ",", &rest); word && n < 64; word = strtok_r(NULL, ",", &rest))
                if (strncmp(word, "name=", 5) == 0 || (!strchr(word, '=') && strcmp(word, "rw") != 0 &&
                    strcmp(word, "ro") != 0 && strcmp(word, "xattr") != 0 && strcmp(word, "clone_children") != 0 &&
                    strcmp(word, "noprefix") != 0 && strcmp(word, "cpuset_v2_mode") != 0))
                        words[n++] = word;
        return mount_type_open("cgroup", "cgroup", words, n, false, set, ret_tree, reterr);
}

static int make_hierarchy(const struct hierarchy *hierarchy, uint64_t set, bool namespace, int *ret_tree,
                          struct initsync_error *reterr) {
        _cleanup_free_ char *group = NULL, *source = NULL;
        int r = -EPERM;

        if (own_group(hierarchy, &group) < 0 || asprintf(&source, "%s%s", hierarchy->point, group) < 0)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        if (namespace)
                r = open_hierarchy(hierarchy, set, ret_tree, reterr);
        return r == -EPERM || r == -EBUSY ? bind(source, set, 0, ret_tree, reterr) : r;
}

/* "cpu,cpuacct" has a link for each of the two. */
static int make_links(int directory, const char *name, struct initsync_error *reterr) {
        char one[256];
        const char *p;
        size_t n;

        for (p = name; strchr(name, ',') && *p; p += n + (p[n] == ',')) {
                n = strcspn(p, ",");
                snprintf(one, sizeof(one), "%.*s", (int)n, p);
                if (n > 0 && symlinkat(name, directory, one) < 0 && errno != EEXIST)
                        return fault_call(reterr, -errno, "symlinkat", one);
        }
        return 0;
}

static int add_hierarchy(const struct bundle_mount *mount, struct hierarchy *hierarchy, bool namespace, int directory,
                         struct initsync_error *reterr) {
        const char *name = strrchr(hierarchy->point, '/') + 1;
        _cleanup_fd_ int tree = -1, target = -1;
        int r;

        if (mkdirat(directory, name, 0755) < 0)
                return errno == EEXIST ? 0 : fault_call(reterr, -errno, "mkdirat", name);
        target = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (target < 0)
                return fault_call(reterr, -errno, "openat", name);
        r = make_hierarchy(hierarchy, mount->want.attr_set | LOCKED, namespace, &tree, reterr);
        if (r == 0)
                r = tree_attach(tree, target, reterr);
        if (r < 0)
                return fault_in(reterr, "%s", name);
        return make_links(directory, name, reterr);
}

int mount_cgroup_populate(const struct bundle_mount *mount, bool namespace, int tree, struct initsync_error *reterr) {
        _cleanup_(filep) FILE *file = NULL;
        _cleanup_free_ char *line = NULL, *seen = strdup(" ");
        struct hierarchy hierarchy;
        char device[32], *more;
        size_t size = 0;
        int r = 0;

        if (version_2())
                return 0;
        file = fopen("/proc/thread-self/mountinfo", "re");
        if (!file)
                return fault_call(reterr, -errno, "fopen", "/proc/thread-self/mountinfo");
        while (r == 0 && seen && getline(&line, &size, file) > 0) {
                if (!parse(line, VERSION_1, &hierarchy))
                        continue;
                snprintf(device, sizeof(device), " %s ", hierarchy.device);
                /* One that is mounted in several places; ours, just made, among them. */
                if (strstr(seen, device))
                        continue;
                if (asprintf(&more, "%s%s", seen, device) < 0)
                        return fault_call(reterr, -ENOMEM, "asprintf", NULL);
                free(seen);
                seen = more;
                r = add_hierarchy(mount, &hierarchy, namespace, tree, reterr);
        }
        return seen ? r : fault_call(reterr, -ENOMEM, "strdup", NULL);
}
