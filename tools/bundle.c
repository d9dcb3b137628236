/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include "bundle.h"
#include "cleanup.h"
#include "layers.h"
#include "say.h"

struct bundle *bundle_free(struct bundle *bundle) {
        size_t i;

        if (!bundle)
                return NULL;
        for (i = 0; i < bundle->n_mounts; i++) {
                freep(&bundle->mounts[i].want.source);
                free(bundle->mounts[i].data);
                free(bundle->mounts[i].in_root);
                free(bundle->mounts[i].uids.extents);
                free(bundle->mounts[i].gids.extents);
        }
        free(bundle->mounts);
        free(bundle->uids.extents);
        free(bundle->gids.extents);
        sysctls_free(&bundle->sysctls);
        free(bundle->devices);
        free(bundle->masked);
        free(bundle->readonly);
        process_clear(&bundle->process);
        bundle_hooks_clear(bundle);
        filter_clear(&bundle->filter);
        layers_free(bundle->layers);
        free(bundle->root);
        free(bundle->path);
        json_object_put(bundle->config);
        free(bundle);
        return NULL;
}

/* Takes empty, "." and ".." components out of an absolute path, in place. */
static void clean(char *path) {
        const char *part = path;
        size_t used = 0, n;

        while (*part) {
                part += strspn(part, "/");
                n = strcspn(part, "/");
                if (n == 2 && memcmp(part, "..", 2) == 0) {
                        while (used > 0 && path[--used] != '/')
                                ;
                } else if (n > 0 && !(n == 1 && part[0] == '.')) {
                        path[used++] = '/';
                        memmove(path + used, part, n);
                        used += n;
                }
                part += n;
        }
        if (used == 0)
                path[used++] = '/';
        path[used] = '\0';
}

char *bundle_absolute(const struct bundle *bundle, const char *path) {
        char *result;

        if (path[0] == '/')
                return strdup(path);
        if (asprintf(&result, "%s/%s", bundle->path, path) < 0)
                return NULL;
        clean(result);
        return result;
}

int bundle_below(const char *path, const char *directory, char **ret_below) {
        _cleanup_free_ char *a = strdup(path), *b = strdup(directory);
        size_t n;

        if (!a || !b)
                return -ENOMEM;
        clean(a);
        clean(b);
        n = strlen(b) > 1 ? strlen(b) : 0;
        *ret_below = NULL;
        if (strncmp(a, b, n) != 0 || (a[n] != '/' && a[n] != '\0'))
                return 0;
        *ret_below = strdup(a[n] ? a + n : "/");
        return *ret_below ? 1 : -ENOMEM;
}

static int check_version(const struct node *config, struct initsync_error *reterr) {
        struct node node;
        const char *text;
        size_t n, part;
        int r;

        r = node_required(config, "ociVersion", json_type_string, &node, reterr);
        if (r < 0)
                return r;
        text = node_string(&node);
        for (part = 0; part < 3; part++) {
                n = strspn(text, "0123456789");
                if (n == 0 || (part < 2 ? text[n] != '.' : text[n] && text[n] != '-' && text[n] != '+'))
                        return node_refuse(&node, reterr, -EINVAL, "expected a version like 1.2.0");
                text += n + (part < 2);
        }
        /* Versions 1.x add to each other; a later one's keys are ignored like all that are not known. */
        if (strncmp(node_string(&node), "1.", 2) != 0)
                return node_refuse(&node, reterr, -EOPNOTSUPP, "%s: only 1.x is supported", node_string(&node));
        return 0;
}

static int read_root(struct bundle *bundle, const struct node *config, struct initsync_error *reterr) {
        struct node root, node;
        int r;

        r = node_required(config, "root", json_type_object, &root, reterr);
        if (r == 0)
                r = node_required(&root, "path", json_type_string, &node, reterr);
        if (r < 0)
                return r;
        bundle->root = bundle_absolute(bundle, node_string(&node));
        if (!bundle->root)
                return fault_call(reterr, -ENOMEM, "malloc", NULL);
        /* Also "///": there, the mounts would go onto the host's own. */
        if (strspn(bundle->root, "/") == strlen(bundle->root))
                return node_refuse(&node, reterr, -EINVAL, "the host's root directory");
        if (node_member(&root, "readonly", json_type_boolean, &node, reterr) > 0)
                bundle->root_readonly = json_object_get_boolean(node.value);
        return 0;
}

static int read_name(const struct bundle *bundle, const struct node *config, const char *key, const char **ret,
                     struct initsync_error *reterr) {
        struct node node;
        int r;

        r = node_member(config, key, json_type_string, &node, reterr);
        if (r <= 0 || !node_string(&node)[0])
                return r < 0 ? r : 0;
        /* It would be the host's that changes. */
        if (!(bundle->namespaces & CLONE_NEWUTS))
                return node_refuse(&node, reterr, -EINVAL, "without a uts namespace in linux.namespaces");
        *ret = node_string(&node);
        return 0;
}

/* They are told to hooks and agents as they are, so that what is none must not come through. */
static int read_annotations(struct bundle *bundle, const struct node *config, struct initsync_error *reterr) {
        struct node annotations, node;
        int r;

        r = node_member(config, "annotations", json_type_object, &annotations, reterr);
        if (r <= 0)
                return r;
        json_object_object_foreach(annotations.value, key, value) {
                (void)value;
                if (!key[0])
                        return node_refuse(&annotations, reterr, -EINVAL, "an empty key");
                r = node_required(&annotations, key, json_type_string, &node, reterr);
                if (r < 0)
                        return r;
        }
        bundle->annotations = annotations.value;
        return 0;
}

static int read_names(struct bundle *bundle, const struct node *config, struct initsync_error *reterr) {
        int r;

        r = read_name(bundle, config, "hostname", &bundle->hostname, reterr);
        return r < 0 ? r : read_name(bundle, config, "domainname", &bundle->domainname, reterr);
}

static int read_propagation(struct bundle *bundle, const struct node *linux_, struct initsync_error *reterr) {
        static const struct {
                const char *name;
                uint64_t flags;
        } known[] = {
                { "private", MS_PRIVATE }, { "rprivate", MS_PRIVATE | MS_REC },
                { "slave", MS_SLAVE }, { "rslave", MS_SLAVE | MS_REC },
                { "shared", MS_SHARED }, { "rshared", MS_SHARED | MS_REC },
                { "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
        };
        struct node node;
        size_t i;
        int r;

        r = node_member(linux_, "rootfsPropagation", json_type_string, &node, reterr);
        if (r <= 0 || !node_string(&node)[0])
                return r < 0 ? r : 0;
        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                if (strcmp(known[i].name, node_string(&node)) == 0) {
                        bundle->root_propagation = known[i].flags;
                        return 0;
                }
        }
        return node_refuse(&node, reterr, -EINVAL, "%s: no kind of propagation", node_string(&node));
}

static int read_linux(struct bundle *bundle, const struct node *config, enum bundle_half half,
                      struct initsync_error *reterr) {
        struct node linux_;
        int r;

        r = node_member(config, "linux", json_type_object, &linux_, reterr);
        if (r <= 0)
                return r;
        r = bundle_maps(&linux_, &bundle->uids, &bundle->gids, reterr);
        if (r == 0)
                r = bundle_namespaces(bundle, &linux_, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = bundle_devices(bundle, &linux_, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = time_offsets_read(&bundle->time_offsets, &linux_, bundle->new_time, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = sysctls_read(&bundle->sysctls, &linux_, bundle->namespaces, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = personality_read(&bundle->personality, &linux_, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = memory_policy_read(&bundle->memory_policy, &linux_, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = read_propagation(bundle, &linux_, reterr);
        if (r == 0)
                r = filter_read(&bundle->filter, &linux_, reterr);
        return r;
}

/* What the parent sets on the process from outside. */
static int read_outside(struct bundle *bundle, const struct node *config, struct initsync_error *reterr) {
        struct node process = { .value = NULL };
        int r;

        r = limits_read(&bundle->process.limits, config, reterr);
        if (r == 0)
                r = node_member(config, "process", json_type_object, &process, reterr);
        if (r > 0)
                r = scheduler_read(&bundle->scheduler, &process, reterr);
        if (r == 0 && process.value)
                r = io_priority_read(&bundle->io_priority, &process, reterr);
        return r;
}

int bundle_load(struct bundle **ret_bundle, const char *path, enum bundle_half half, struct initsync_error *reterr) {
        _cleanup_(bundle_freep) struct bundle *bundle = calloc(1, sizeof(*bundle));
        _cleanup_free_ char *file = NULL;
        struct node config = { .up = NULL };
        int r;

        if (!bundle)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        bundle->path = realpath(path, NULL);
        if (!bundle->path)
                return fault_call(reterr, -errno, "realpath", path);
        bundle->id = strrchr(bundle->path, '/') + 1;
        if (asprintf(&file, "%s/config.json", bundle->path) < 0)
                return fault_call(reterr, -ENOMEM, "asprintf", NULL);
        r = node_load(file, &bundle->config, reterr);
        if (r < 0)
                return r;
        config.value = bundle->config;
        r = check_version(&config, reterr);
        if (r == 0)
                r = bundle_keys(&config, half, reterr);
        if (r == 0)
                r = read_annotations(bundle, &config, reterr);
        if (r == 0)
                r = bundle_layers(bundle, &config, reterr);
        if (r == 0)
                r = bundle_hooks(bundle, &config, reterr);
        if (r == 0)
                r = read_root(bundle, &config, reterr);
        if (r == 0)
                r = read_linux(bundle, &config, half, reterr);
        if (r == 0)
                r = bundle_mounts(bundle, &config, half, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = read_names(bundle, &config, reterr);
        if (r == 0 && half == BUNDLE_CHILD)
                r = process_read(&bundle->process, &config, bundle->namespaces & CLONE_NEWUSER, reterr);
        if (r == 0)
                r = read_outside(bundle, &config, reterr);
        if (r < 0)
                return r;
        bundle_warn(bundle, &config, half);
        *ret_bundle = take_ptr(bundle);
        return 0;
}
