/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "base/error.h"
#include "wire/encode.h"

/* Without the first flag json-c escapes '/', which Go does not: the bytes would differ. */
#define PRINT_FLAGS (JSON_C_TO_STRING_NOSLASHESCAPE | JSON_C_TO_STRING_PLAIN)

#define TEXT(s) { (s), sizeof(s) - 1 }

struct bytes encode_plain(enum message_type type) {
        static const struct bytes texts[MESSAGE_TYPES] = {
                [MESSAGE_MOUNT_FD] = TEXT("{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}"),
                [MESSAGE_HOOKS] = TEXT("{\"type\":\"procHooks\",\"flags\":0}"),
                [MESSAGE_HOOKS_DONE] = TEXT("{\"type\":\"procHooksDone\",\"flags\":0}"),
                [MESSAGE_READY] = TEXT("{\"type\":\"procReady\",\"flags\":0}"),
                [MESSAGE_RUN] = TEXT("{\"type\":\"procRun\",\"flags\":0}"),
                [MESSAGE_SECCOMP_DONE] = TEXT("{\"type\":\"procSeccompDone\",\"flags\":0}"),
        };

        return texts[type];
}

size_t encode_seccomp(int number, int has_fd, char *to, size_t size) {
        return (size_t)snprintf(to, size, "{\"type\":\"procSeccomp\",\"flags\":%d,\"arg\":%d}", has_fd, number);
}

/* json-c says 0 for success in most calls and NULL for failure in others; every object here is checked once, by its size. */
struct build {
        json_object *root;
        int failed;
};

static json_object *add(struct build *build, json_object *to, const char *key, json_object *value) {
        if (!value || !to || json_object_object_add(to, key, value) != 0) {
                json_object_put(value);
                build->failed = 1;
                return NULL;
        }
        return value;
}

static void add_map(struct build *build, json_object *to, const char *key, const struct initsync_idmap *extents, size_t n) {
        json_object *list = add(build, to, key, json_object_new_array());
        size_t i;

        for (i = 0; list && i < n; i++) {
                json_object *one = json_object_new_object();

                if (!one || json_object_array_add(list, one) != 0) {
                        json_object_put(one);
                        build->failed = 1;
                        return;
                }
                add(build, one, "container_id", json_object_new_int64(extents[i].inside));
                add(build, one, "host_id", json_object_new_int64(extents[i].outside));
                add(build, one, "size", json_object_new_int64(extents[i].count));
        }
}

/* As configs.Mount of runc 1.4: empty fields are left out. */
static void add_mount(struct build *build, json_object *arg, const struct initsync_mount *mount) {
        int flags = MESSAGE_MS_BIND | (mount->flags & INITSYNC_MOUNT_RECURSIVE ? MESSAGE_MS_REC : 0);
        json_object *map;

        add(build, arg, "source", json_object_new_string(mount->source));
        add(build, arg, "destination", json_object_new_string(mount->destination ? mount->destination : ""));
        add(build, arg, "device", json_object_new_string("bind"));
        add(build, arg, "flags", json_object_new_int(flags));
        if (!mount->n_uids && !mount->userns_path)
                return;
        map = add(build, arg, "id_mapping", json_object_new_object());
        if (mount->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE)
                add(build, map, "recursive", json_object_new_boolean(1));
        if (mount->userns_path)
                add(build, map, "userns_path", json_object_new_string(mount->userns_path));
        if (mount->n_uids) {
                add_map(build, map, "uid_mappings", mount->uids, mount->n_uids);
                add_map(build, map, "gid_mappings", mount->gids, mount->n_gids);
        }
}

static int print(struct build *build, size_t max, char **ret) {
        const char *text = NULL;
        size_t n = 0;
        char *copy;

        if (!build->failed)
                text = json_object_to_json_string_length(build->root, PRINT_FLAGS, &n);
        if (!text)
                return -ENOMEM;
        if (n > max)
                return -EMSGSIZE;
        copy = malloc(n + 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, text, n + 1);
        *ret = copy;
        return (int)n;
}

static json_object *start(struct build *build, enum message_type type, int has_arg) {
        json_object *arg = NULL;

        build->root = json_object_new_object();
        add(build, build->root, "type", json_object_new_string(message_name(type)));
        add(build, build->root, "flags", json_object_new_int(0));
        if (has_arg)
                arg = add(build, build->root, "arg", json_object_new_object());
        return arg;
}

static int is_utf8(const char *text) {
        size_t n = strlen(text), step;

        for (; n; n -= step, text += step) {
                step = text_utf8((const unsigned char *)text, n);
                if (!step)
                        return 0;
        }
        return 1;
}

int encode_mount(const struct initsync_mount *mount, char **ret) {
        struct build build = { NULL, 0 };
        int r;

        if (!is_utf8(mount->source) || (mount->destination && !is_utf8(mount->destination)) ||
            (mount->userns_path && !is_utf8(mount->userns_path)))
                return -EILSEQ;
        add_mount(&build, start(&build, MESSAGE_MOUNT_PLEASE, 1), mount);
        r = print(&build, LIMIT_REQUEST, ret);
        json_object_put(build.root);
        return r;
}

/* What json-c would make of it; @text has no control characters. Returns the length, which is less than @size. */
static size_t quote(char *to, size_t size, const char *text) {
        size_t n = 0;

        for (; *text && n + 2 < size; text++) {
                if (*text == '"' || *text == '\\')
                        to[n++] = '\\';
                to[n++] = *text;
        }
        to[n] = '\0';
        return n;
}

size_t encode_error_to(const struct initsync_error *error, char *to, size_t size) {
        char text[sizeof(error->text)], path[sizeof(error->path)], quoted[2 * sizeof(error->text)];
        size_t n;

        /* The caller's own text may hold anything; the wire gets UTF-8. */
        text_escape(text, sizeof(text), error->text, strnlen(error->text, sizeof(error->text)));
        text_escape(path, sizeof(path), error->path, strnlen(error->path, sizeof(error->path)));
        n = (size_t)snprintf(to, size, "{\"type\":\"procError\",\"flags\":0,\"arg\":{");
        if (text[0]) {
                quote(quoted, sizeof(quoted), text);
                n += (size_t)snprintf(to + n, size - n, "\"message\":\"%s\",", quoted);
        }
        n += (size_t)snprintf(to + n, size - n, "\"code\":%d", error->code);
        if (error->step >= 0)
                n += (size_t)snprintf(to + n, size - n, ",\"step\":\"%s\"", initsync_step_name(error->step));
        if (path[0]) {
                quote(quoted, sizeof(quoted), path);
                n += (size_t)snprintf(to + n, size - n, ",\"path\":\"%s\"", quoted);
        }
        if (error->mount >= 0)
                n += (size_t)snprintf(to + n, size - n, ",\"mount\":%d", error->mount);
        n += (size_t)snprintf(to + n, size - n, "}}");
        assert(n < size);               /* LIMIT_ANSWER has room for all of the struct, twice */
        return n;
}

int encode_error(const struct initsync_error *error, char **ret) {
        char text[LIMIT_ANSWER];
        size_t n = encode_error_to(error, text, sizeof(text));

        *ret = malloc(n + 1);
        if (!*ret)
                return -ENOMEM;
        memcpy(*ret, text, n + 1);
        return (int)n;
}
