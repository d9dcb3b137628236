/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/attr.h"
#include "base/error.h"
#include "wire/encode.h"
#include "wire/writer.h"

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

static int is_utf8(const char *text) {
        size_t n = strlen(text), step;

        for (; n; n -= step, text += step) {
                step = text_utf8((const unsigned char *)text, n);
                if (!step)
                        return 0;
        }
        return 1;
}

static void write_map(struct writer *writer, const char *key, const struct initsync_idmap *extents, size_t n) {
        size_t i;

        writer_raw(writer, key);
        for (i = 0; i < n; i++) {
                writer_raw(writer, i ? ",{\"container_id\":" : "{\"container_id\":");
                writer_number(writer, extents[i].inside);
                writer_raw(writer, ",\"host_id\":");
                writer_number(writer, extents[i].outside);
                writer_raw(writer, ",\"size\":");
                writer_number(writer, extents[i].count);
                writer_raw(writer, "}");
        }
        writer_raw(writer, "]");
}

static void write_id_mapping(struct writer *writer, const struct initsync_mount *mount) {
        const char *comma = "";

        writer_raw(writer, ",\"id_mapping\":{");
        if (mount->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE) {
                writer_raw(writer, "\"recursive\":true");
                comma = ",";
        }
        if (mount->userns_path) {
                writer_raw(writer, comma);
                writer_raw(writer, "\"userns_path\":");
                writer_text(writer, mount->userns_path);
                comma = ",";
        }
        if (mount->n_uids) {
                writer_raw(writer, comma);
                write_map(writer, "\"uid_mappings\":[", mount->uids, mount->n_uids);
                write_map(writer, ",\"gid_mappings\":[", mount->gids, mount->n_gids);
        }
        writer_raw(writer, "}");
}

/*
 * As configs.Mount of runc 1.4: empty fields are left out. Written by hand: json-c takes as long for it as the system calls of the
 * request together; and its printer goes on where an allocation failed, so that a request without one of its fields is sent.
 */
int encode_mount(const struct initsync_mount *mount, char **ret) {
        struct writer writer = { .n = 0 };

        if (!is_utf8(mount->source) || (mount->destination && !is_utf8(mount->destination)) ||
            (mount->userns_path && !is_utf8(mount->userns_path)))
                return -EILSEQ;
        writer_raw(&writer, "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":");
        writer_text(&writer, mount->source);
        writer_raw(&writer, ",\"destination\":");
        writer_text(&writer, mount->destination ? mount->destination : "");
        writer_raw(&writer, ",\"device\":\"bind\",\"flags\":");
        writer_number(&writer, MESSAGE_MS_BIND | (mount->flags & INITSYNC_MOUNT_RECURSIVE ? MESSAGE_MS_REC : 0));
        if (mount->n_uids || mount->userns_path)
                write_id_mapping(&writer, mount);
        writer_raw(&writer, "}}");
        return writer_take(&writer, LIMIT_REQUEST, ret);
}

static void write_error(struct writer *writer, const struct initsync_error *error, const char *text, const char *path) {
        writer_raw(writer, "{\"type\":\"procError\",\"flags\":0,\"arg\":{");
        if (text[0]) {
                writer_raw(writer, "\"message\":");
                writer_text(writer, text);
                writer_raw(writer, ",");
        }
        writer_raw(writer, "\"code\":");
        writer_signed(writer, error->code);
        if (error->step >= 0) {
                writer_raw(writer, ",\"step\":");
                writer_text(writer, initsync_step_name(error->step));
        }
        if (path[0]) {
                writer_raw(writer, ",\"path\":");
                writer_text(writer, path);
        }
        if (error->mount >= 0) {
                writer_raw(writer, ",\"mount\":");
                writer_signed(writer, error->mount);
        }
        writer_raw(writer, "}}");
}

size_t encode_error(const struct initsync_error *error, char to[static LIMIT_ANSWER]) {
        struct writer writer = { .text = to, .room = LIMIT_ANSWER, .fixed = 1 };
        char text[sizeof(error->text)], path[sizeof(error->path)];

        /* The caller's own text may hold anything; the wire gets UTF-8. */
        text_escape(text, sizeof(text), error->text, strnlen(error->text, sizeof(error->text)));
        text_escape(path, sizeof(path), error->path, strnlen(error->path, sizeof(error->path)));
        write_error(&writer, error, text, path);
        assert(!writer.failed);         /* escaped twice it is far below the limit */
        return writer.n;
}
