/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "base/attr.h"
#include "base/idmap.h"
#include "wire/object.h"

static void read_path(struct reader *reader, const char **to) {
        const char *path = object_text(reader, LIMIT_PATH);

        if (path[0] != '/')
                reader_fail(reader, "an absolute path of 1 to 4095 bytes");
        *to = path;
}

static void read_source(struct reader *reader, void *to) {
        read_path(reader, &((struct message_mount *)to)->source);
}

static void read_destination(struct reader *reader, void *to) {
        ((struct message_mount *)to)->destination = object_text(reader, LIMIT_PATH);
}

static void read_device(struct reader *reader, void *to) {
        ((struct message_mount *)to)->device = object_text(reader, LIMIT_PATH);
}

static void read_data(struct reader *reader, void *to) {
        ((struct message_mount *)to)->data = object_text(reader, LIMIT_REQUEST);
}

static void read_flags(struct reader *reader, void *to) {
        ((struct message_mount *)to)->flags = reader_uint(reader, INT64_MAX);
}

static void read_cleared_flags(struct reader *reader, void *to) {
        ((struct message_mount *)to)->cleared_flags = reader_uint(reader, INT64_MAX);
}

static void read_extensions(struct reader *reader, void *to) {
        ((struct message_mount *)to)->extensions = reader_uint(reader, INT64_MAX);
}

static void read_propagation_flags(struct reader *reader, void *to) {
        struct message_mount *mount = to;
        int first = 1;

        reader_open(reader, '[');
        while (reader_next(reader, ']', &first)) {
                uint64_t flag = reader_uint(reader, INT64_MAX);

                if (mount->n_propagation_flags == LIMIT_PROPAGATION)
                        reader_fail(reader, "at most 16 entries");
                else
                        mount->propagation_flags[mount->n_propagation_flags++] = flag;
        }
}

#define REC_ATTR(name)                                                                  \
        static void read_##name(struct reader *reader, void *to) {                         \
                ((struct message_mount *)to)->rec_attr.name = reader_uint(reader, UINT64_MAX); \
        }
REC_ATTR(attr_set)
REC_ATTR(attr_clr)
REC_ATTR(propagation)
REC_ATTR(userns_fd)

static void read_rec_attr(struct reader *reader, void *to) {
        static const struct object_field fields[] = {
                { "Attr_set", read_attr_set },
                { "Attr_clr", read_attr_clr },
                { "Propagation", read_propagation },
                { "Userns_fd", read_userns_fd },
        };

        ((struct message_mount *)to)->has_rec_attr = 1;
        object_read(reader, fields, ARRAY_SIZE(fields), 0xf, to);
}

/* uid_map takes numbers modulo 2^32: whatever lies above must not get that far. */
static void read_container_id(struct reader *reader, void *to) {
        ((struct initsync_idmap *)to)->inside = (uint32_t)reader_uint(reader, UINT32_MAX);
}

static void read_host_id(struct reader *reader, void *to) {
        ((struct initsync_idmap *)to)->outside = (uint32_t)reader_uint(reader, UINT32_MAX);
}

static void read_size(struct reader *reader, void *to) {
        ((struct initsync_idmap *)to)->count = (uint32_t)reader_uint(reader, UINT32_MAX);
}

static void read_map(struct reader *reader, struct initsync_idmap *extents, size_t *n) {
        static const struct object_field fields[] = {
                { "container_id", read_container_id },
                { "host_id", read_host_id },
                { "size", read_size },
        };
        int first = 1;

        reader_open(reader, '[');
        while (reader_next(reader, ']', &first)) {
                if (*n == INITSYNC_IDMAP_MAX)
                        reader_fail(reader, "at most 340 extents");
                else
                        object_read(reader, fields, ARRAY_SIZE(fields), 7, &extents[(*n)++]);
        }
        if (!reader->error && *n && idmap_check(extents, *n, "", NULL) < 0)
                reader_fail(reader, "extents that do not overlap, of at least 1 id, none above 4294967294, in 4095 bytes of text");
}

static void read_uid_mappings(struct reader *reader, void *to) {
        struct message_mount *mount = to;

        read_map(reader, mount->uids, &mount->n_uids);
}

static void read_gid_mappings(struct reader *reader, void *to) {
        struct message_mount *mount = to;

        read_map(reader, mount->gids, &mount->n_gids);
}

static void read_recursive(struct reader *reader, void *to) {
        ((struct message_mount *)to)->idmap_recursive = reader_bool(reader);
}

static void read_userns_path(struct reader *reader, void *to) {
        ((struct message_mount *)to)->userns_path = object_text(reader, LIMIT_PATH);
}

static void read_id_mapping(struct reader *reader, void *to) {
        static const struct object_field fields[] = {
                { "recursive", read_recursive },
                { "userns_path", read_userns_path },
                { "uid_mappings", read_uid_mappings },
                { "gid_mappings", read_gid_mappings },
        };
        struct message_mount *mount = to;

        mount->has_id_mapping = 1;
        object_read(reader, fields, ARRAY_SIZE(fields), 0, to);
        if (!mount->n_uids != !mount->n_gids)
                reader_fail(reader, "both uid_mappings and gid_mappings, or neither");
        if (!mount->n_uids && !mount->userns_path[0])
                reader_fail(reader, "uid_mappings and gid_mappings, or userns_path");
}

/* Everything but the extents, of which only the first n_uids and n_gids mean anything: 8 KiB need no zeros. */
static void clear(struct message_mount *mount) {
        mount->source = mount->destination = mount->device = mount->data = mount->userns_path = "";
        mount->flags = mount->cleared_flags = mount->extensions = 0;
        mount->n_propagation_flags = 0;
        mount->has_rec_attr = mount->has_id_mapping = mount->idmap_recursive = 0;
        memset(&mount->rec_attr, 0, sizeof(mount->rec_attr));
        mount->n_uids = mount->n_gids = 0;
}

void mount_read(struct reader *reader, struct message_mount *mount) {
        static const struct object_field fields[] = {
                { "source", read_source },
                { "destination", read_destination },
                { "device", read_device },
                { "flags", read_flags },
                { "cleared_flags", read_cleared_flags },
                { "propagation_flags", read_propagation_flags },
                { "data", read_data },
                { "rec_attr", read_rec_attr },
                { "extensions", read_extensions },
                { "id_mapping", read_id_mapping },
        };

        clear(mount);
        object_read(reader, fields, ARRAY_SIZE(fields), 7, mount);
}
