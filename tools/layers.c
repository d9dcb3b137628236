/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "kernel.h"
#include "layers.h"
#include "say.h"

#define PREFIX "org.libinitsync.rootfs."

static void layers_freep(struct layers **layers) {
        *layers = layers_free(*layers);
}

static void strings_free(char **strings, size_t n) {
        while (n)
                free(strings[--n]);
        free(strings);
}

struct layers *layers_free(struct layers *layers) {
        if (!layers)
                return NULL;
        strings_free(layers->lower, layers->n_lower);
        strings_free(layers->options, layers->n_options);
        free(layers->upper);
        free(layers->work);
        free(layers);
        return NULL;
}

/* The part up to the next @separator, without the backslashes that keep one from being one; moves *@at past it. */
static char *next_part(const char **at, char separator) {
        char *part = malloc(strlen(*at) + 1), *to = part;

        if (!part)
                return NULL;
        while (**at && **at != separator) {
                if (**at == '\\' && (*at)[1])
                        (*at)++;
                *to++ = *(*at)++;
        }
        *to = '\0';
        return part;
}

/* The parts of @node's text; none may be empty. */
static int split(const struct node *node, char separator, char ***ret_parts, size_t *ret_n, struct initsync_error *reterr) {
        const char *at = node_string(node);
        char **more;

        for (;; at++) {
                more = realloc(*ret_parts, (*ret_n + 1) * sizeof(**ret_parts));
                if (more)
                        *ret_parts = more;      /* ANALYZED(malloc-leak): the layers have it */
                if (!more || !(more[*ret_n] = next_part(&at, separator)))
                        return fault_call(reterr, -ENOMEM, "malloc", NULL);
                if (!*more[(*ret_n)++])
                        return node_refuse(node, reterr, -EINVAL, "a part without a name, around '%c'", separator);
                if (!*at)
                        return 0;
        }
}

static int absolute(const struct bundle *bundle, char **path, struct initsync_error *reterr) {
        char *full = bundle_absolute(bundle, *path);

        if (!full)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        free(*path);
        *path = full;
        return 0;
}

static int read_lower(const struct bundle *bundle, struct layers *layers, const struct node *annotations,
                      struct initsync_error *reterr) {
        struct node node;
        size_t i;
        int r;

        r = node_required(annotations, PREFIX "lower", json_type_string, &node, reterr);
        if (r == 0)
                r = split(&node, ':', &layers->lower, &layers->n_lower, reterr);
        if (r == 0 && layers->n_lower > INITSYNC_OVERLAY_LAYERS_MAX)
                return node_refuse(&node, reterr, -E2BIG, "expected at most %d layers, not %zu", INITSYNC_OVERLAY_LAYERS_MAX,
                                   layers->n_lower);
        for (i = 0; r == 0 && i < layers->n_lower; i++)
                r = absolute(bundle, &layers->lower[i], reterr);
        return r;
}

static int read_directory(const struct bundle *bundle, const struct node *annotations, const char *key, char **ret_path,
                          struct initsync_error *reterr) {
        struct node node;
        int r = node_member(annotations, key, json_type_string, &node, reterr);

        if (r <= 0)
                return r;
        if (!*node_string(&node))
                return node_refuse(&node, reterr, -EINVAL, "expected a directory");
        *ret_path = strdup(node_string(&node));
        return *ret_path ? absolute(bundle, ret_path, reterr) : fault_call(reterr, -ENOMEM, "strdup", NULL);
}

static int read_options(struct layers *layers, const struct node *annotations, struct initsync_error *reterr) {
        struct node node;
        int r = node_member(annotations, PREFIX "options", json_type_string, &node, reterr);

        if (r > 0)
                r = split(&node, ',', &layers->options, &layers->n_options, reterr);
        if (r == 0 && layers->n_options > 0 && layers->n_lower == 1 && !layers->upper)
                return node_refuse(&node, reterr, -EINVAL, "one layer that nobody can write to is no overlay");
        return r;
}

/* 1 if there is one of ours; what begins like ours is ours, so that nothing with a wrong letter is ignored. */
static int find(const struct node *annotations, struct initsync_error *reterr) {
        static const char *const known[] = { PREFIX "lower", PREFIX "upper", PREFIX "work", PREFIX "options" };
        int found = 0;
        size_t i;

        json_object_object_foreach(annotations->value, key, value) {
                const struct node node = { .up = annotations, .key = key, .value = value };

                if (strncmp(key, PREFIX, strlen(PREFIX)) != 0)
                        continue;
                for (i = 0; i < sizeof(known) / sizeof(known[0]) && strcmp(key, known[i]) != 0; i++)
                        continue;
                if (i == sizeof(known) / sizeof(known[0]))
                        return node_refuse(&node, reterr, -EINVAL, "expected lower, upper, work or options behind " PREFIX);
                found = 1;
        }
        return found;
}

int bundle_layers(struct bundle *bundle, const struct node *config, struct initsync_error *reterr) {
        _cleanup_(layers_freep) struct layers *layers = NULL;
        struct node annotations;
        int r = node_member(config, "annotations", json_type_object, &annotations, reterr);

        if (r > 0)
                r = find(&annotations, reterr);
        if (r <= 0)
                return r;
        layers = calloc(1, sizeof(*layers));
        if (!layers)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        r = read_lower(bundle, layers, &annotations, reterr);
        if (r == 0)
                r = read_directory(bundle, &annotations, PREFIX "upper", &layers->upper, reterr);
        if (r == 0)
                r = read_directory(bundle, &annotations, PREFIX "work", &layers->work, reterr);
        if (r == 0 && !layers->upper != !layers->work)
                return node_refuse(&annotations, reterr, -EINVAL, "expected both or neither of " PREFIX "upper and "
                                   PREFIX "work");
        if (r == 0)
                r = read_options(layers, &annotations, reterr);
        if (r < 0)
                return r;
        bundle->layers = take_ptr(layers);
        return 0;
}

int layers_refuse(const struct bundle *bundle, struct initsync_error *reterr) {
        if (!bundle->layers)
                return 0;
        return fault(reterr, -EOPNOTSUPP, "config.json: annotations." PREFIX "lower: a root file system of layers is "
                     "made by 'syncdemo run' alone");
}

/* One that nobody writes to: overlayfs takes two at least, and there is nothing for it to do. */
static int open_one(const struct layers *layers, const struct bundle_map *uids, const struct bundle_map *gids, int *ret_fd,
                    struct initsync_error *reterr) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        _cleanup_fd_ int fd = -1;
        struct stat st;
        int r;

        mount.source = layers->lower[0];
        mount.uids = uids->extents;
        mount.n_uids = uids->n;
        mount.gids = gids->extents;
        mount.n_gids = gids->n;
        mount.attr_set = MOUNT_ATTR_RDONLY;
        r = initsync_mount_open(&mount, &fd, reterr);
        if (r < 0)
                return fault_in(reterr, "lower[0]");
        if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
                return fault(reterr, -ENOTDIR, "lower[0]: %s: expected a directory", layers->lower[0]);
        *ret_fd = take_fd(&fd);
        return 0;
}

static int open_overlay(const struct layers *layers, const struct bundle_map *uids, const struct bundle_map *gids,
                        int *ret_fd, struct initsync_error *reterr) {
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;

        overlay.lower = (const char *const *)layers->lower;
        overlay.n_lower = layers->n_lower;
        overlay.upper = layers->upper;
        overlay.work = layers->work;
        overlay.options = (const char *const *)layers->options;
        overlay.n_options = layers->n_options;
        overlay.attr_set = layers->upper ? 0 : MOUNT_ATTR_RDONLY;
        overlay.uids = uids->extents;
        overlay.n_uids = uids->n;
        overlay.gids = gids->extents;
        overlay.n_gids = gids->n;
        return initsync_overlay_open(&overlay, ret_fd, reterr);
}

int layers_open(const struct bundle *bundle, int *ret_fd, struct initsync_error *reterr) {
        static const struct bundle_map none = { NULL, 0 };
        const struct layers *layers = bundle->layers;
        const bool mapped = bundle->namespaces & CLONE_NEWUSER;
        const struct bundle_map *uids = mapped ? &bundle->uids : &none, *gids = mapped ? &bundle->gids : &none;
        int r;

        if (!layers)
                return 0;
        if (mapped && uids->n == 0)
                return fault(reterr, -EINVAL, "config.json: linux.uidMappings: expected the maps of the user namespace, for "
                             "annotations." PREFIX "lower");
        if (layers->n_lower == 1 && !layers->upper)
                r = open_one(layers, uids, gids, ret_fd, reterr);
        else
                r = open_overlay(layers, uids, gids, ret_fd, reterr);
        return r < 0 ? fault_in(reterr, "config.json: annotations.org.libinitsync.rootfs") : 0;
}
