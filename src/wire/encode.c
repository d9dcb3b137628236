/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "base/error.h"
#include "wire/encode.h"

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

/*
 * By hand, into memory that is there: json-c's printer goes on where an allocation failed, and what it then prints lacks pieces, but
 * not so that anybody would be told. A request without one of its fields is another request.
 */
struct writer {
        char *text;
        size_t n, size;
};

/* What does not fit is counted all the same. */
static void put(struct writer *writer, const char *text, size_t n) {
        if (writer->n < writer->size && n <= writer->size - writer->n)
                memcpy(writer->text + writer->n, text, n);
        writer->n += n;
}

static void put_text(struct writer *writer, const char *text) {
        put(writer, text, strlen(text));
}

static void put_number(struct writer *writer, long long number) {
        char text[32];

        put(writer, text, (size_t)snprintf(text, sizeof(text), "%lld", number));
}

/* As json-c without its escape of '/', which Go does not escape either: the bytes would differ. */
static void put_string(struct writer *writer, const char *text) {
        static const char names[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
        char escaped[8];
        const char *at;

        put_text(writer, "\"");
        for (; *text; text++) {
                at = strchr(names, *text);
                if (at)
                        put(writer, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\%c", letters[at - names]));
                else if ((unsigned char)*text < 0x20)
                        put(writer, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)*text));
                else
                        put(writer, text, 1);
        }
        put_text(writer, "\"");
}

static void put_map(struct writer *writer, const char *key, const struct initsync_idmap *extents, size_t n) {
        size_t i;

        put_text(writer, key);
        for (i = 0; i < n; i++) {
                put_text(writer, i ? ",{\"container_id\":" : "[{\"container_id\":");
                put_number(writer, extents[i].inside);
                put_text(writer, ",\"host_id\":");
                put_number(writer, extents[i].outside);
                put_text(writer, ",\"size\":");
                put_number(writer, extents[i].count);
                put_text(writer, "}");
        }
        put_text(writer, "]");
}

static void put_idmap(struct writer *writer, const struct initsync_mount *mount) {
        const char *comma = "";

        put_text(writer, ",\"id_mapping\":{");
        if (mount->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE) {
                put_text(writer, "\"recursive\":true");
                comma = ",";
        }
        if (mount->userns_path) {
                put_text(writer, comma);
                put_text(writer, "\"userns_path\":");
                put_string(writer, mount->userns_path);
                comma = ",";
        }
        if (mount->n_uids) {
                put_text(writer, comma);
                put_map(writer, "\"uid_mappings\":", mount->uids, mount->n_uids);
                put_map(writer, ",\"gid_mappings\":", mount->gids, mount->n_gids);
        }
        put_text(writer, "}");
}

/* As configs.Mount of runc 1.4: empty fields are left out. */
static void put_mount(struct writer *writer, const struct initsync_mount *mount) {
        put_text(writer, "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":");
        put_string(writer, mount->source);
        put_text(writer, ",\"destination\":");
        put_string(writer, mount->destination ? mount->destination : "");
        put_text(writer, ",\"device\":\"bind\",\"flags\":");
        put_number(writer, MESSAGE_MS_BIND | (mount->flags & INITSYNC_MOUNT_RECURSIVE ? MESSAGE_MS_REC : 0));
        if (mount->n_uids || mount->userns_path)
                put_idmap(writer, mount);
        put_text(writer, "}}");
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
        struct writer writer = { NULL, 0, 0 };

        if (!is_utf8(mount->source) || (mount->destination && !is_utf8(mount->destination)) ||
            (mount->userns_path && !is_utf8(mount->userns_path)))
                return -EILSEQ;
        put_mount(&writer, mount);
        if (writer.n > LIMIT_REQUEST)
                return -EMSGSIZE;
        writer = (struct writer){ malloc(writer.n + 1), 0, writer.n };
        if (!writer.text)
                return -ENOMEM;
        put_mount(&writer, mount);
        writer.text[writer.n] = '\0';
        *ret = writer.text;
        return (int)writer.n;
}

static void put_error(struct writer *writer, const struct initsync_error *error, const char *text, const char *path) {
        put_text(writer, "{\"type\":\"procError\",\"flags\":0,\"arg\":{");
        if (text[0]) {
                put_text(writer, "\"message\":");
                put_string(writer, text);
                put_text(writer, ",");
        }
        put_text(writer, "\"code\":");
        put_number(writer, error->code);
        if (error->step >= 0) {
                put_text(writer, ",\"step\":");
                put_string(writer, initsync_step_name(error->step));
        }
        if (path[0]) {
                put_text(writer, ",\"path\":");
                put_string(writer, path);
        }
        if (error->mount >= 0) {
                put_text(writer, ",\"mount\":");
                put_number(writer, error->mount);
        }
        put_text(writer, "}}");
}

size_t encode_error(const struct initsync_error *error, char to[static LIMIT_ANSWER]) {
        struct writer writer = { to, 0, LIMIT_ANSWER };
        char text[sizeof(error->text)], path[sizeof(error->path)];

        /* The caller's own text may hold anything; the wire gets UTF-8. Escaped it is far below the limit. */
        text_escape(text, sizeof(text), error->text, strnlen(error->text, sizeof(error->text)));
        text_escape(path, sizeof(path), error->path, strnlen(error->path, sizeof(error->path)));
        put_error(&writer, error, text, path);
        return writer.n;
}
