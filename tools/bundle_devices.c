/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "bundle.h"
#include "say.h"

/* Each device takes a system call or five; a container with more has been given something else than devices. */
#define DEVICES_MAX 4096

static int optional_u32(const struct node *object, const char *key, uint32_t *value, struct initsync_error *reterr) {
        struct node node;
        int r = node_member(object, key, json_type_int, &node, reterr);

        return r > 0 ? node_u32(object, key, value, reterr) : r;
}

static int read_type(const struct node *entry, mode_t *ret, struct initsync_error *reterr) {
        struct node type;
        const char *text;
        int r;

        r = node_required(entry, "type", json_type_string, &type, reterr);
        if (r < 0)
                return r;
        text = node_string(&type);
        if (strcmp(text, "c") == 0 || strcmp(text, "u") == 0)
                *ret = S_IFCHR;
        else if (strcmp(text, "b") == 0)
                *ret = S_IFBLK;
        else if (strcmp(text, "p") == 0)
                *ret = S_IFIFO;
        else
                return node_refuse(&type, reterr, -EINVAL, "%s: expected one of \"c\", \"b\", \"u\", \"p\"", text);
        return 0;
}

static int read_path(const struct node *entry, const char **ret, struct initsync_error *reterr) {
        struct node node;
        const char *name;
        int r;

        r = node_required(entry, "path", json_type_string, &node, reterr);
        if (r < 0)
                return r;
        *ret = node_string(&node);
        name = strrchr(*ret, '/');
        if ((*ret)[0] != '/')
                return node_refuse(&node, reterr, -EINVAL, "expected an absolute path");
        if (!name[1] || strcmp(name, "/.") == 0 || strcmp(name, "/..") == 0)
                return node_refuse(&node, reterr, -EINVAL, "expected the path of a file");
        return 0;
}

static int read_device(struct bundle_device *device, const struct node *entry, struct initsync_error *reterr) {
        uint32_t mode = 0666;
        mode_t type = 0;
        int r;

        *device = (struct bundle_device){ .index = entry->index };
        r = read_path(entry, &device->path, reterr);
        if (r == 0)
                r = read_type(entry, &type, reterr);
        if (r == 0)
                r = type == S_IFIFO ? optional_u32(entry, "major", &device->major, reterr) :
                                      node_u32(entry, "major", &device->major, reterr);
        if (r == 0)
                r = type == S_IFIFO ? optional_u32(entry, "minor", &device->minor, reterr) :
                                      node_u32(entry, "minor", &device->minor, reterr);
        if (r == 0)
                r = optional_u32(entry, "fileMode", &mode, reterr);
        if (r == 0)
                r = optional_u32(entry, "uid", &device->uid, reterr);
        if (r == 0)
                r = optional_u32(entry, "gid", &device->gid, reterr);
        if (r < 0)
                return r;
        /* Some write the type into it as well. */
        if ((mode & ~(07777U | (uint32_t)type)) != 0)
                return node_refuse(entry, reterr, -EINVAL, "fileMode %u: not the mode of such a file", mode);
        device->mode = type | (mode & 07777U);
        return 0;
}

static int read_devices(struct bundle *bundle, const struct node *linux_, struct initsync_error *reterr) {
        struct node array, entry;
        size_t i, n;
        int r;

        r = node_member(linux_, "devices", json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        n = node_length(&array);
        if (n > DEVICES_MAX)
                return node_refuse(&array, reterr, -E2BIG, "more than %d", DEVICES_MAX);
        bundle->devices = calloc(n ? n : 1, sizeof(*bundle->devices));
        if (!bundle->devices)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++) {
                r = node_element(&array, i, json_type_object, &entry, reterr);
                if (r == 0)
                        r = read_device(&bundle->devices[i], &entry, reterr);
                if (r < 0)
                        return r;
        }
        bundle->n_devices = n;
        return 0;
}

static int read_paths(const struct node *linux_, const char *key, char ***ret, struct initsync_error *reterr) {
        struct node array, element;
        size_t i;
        int r;

        r = node_member(linux_, key, json_type_array, &array, reterr);
        if (r <= 0)
                return r;
        for (i = 0; i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                if (node_string(&element)[0] != '/')
                        return node_refuse(&element, reterr, -EINVAL, "expected an absolute path");
        }
        return node_strings(&array, ret, reterr);
}

int bundle_devices(struct bundle *bundle, const struct node *linux_, struct initsync_error *reterr) {
        int r;

        r = read_devices(bundle, linux_, reterr);
        if (r == 0)
                r = read_paths(linux_, "maskedPaths", &bundle->masked, reterr);
        if (r == 0)
                r = read_paths(linux_, "readonlyPaths", &bundle->readonly, reterr);
        return r;
}
