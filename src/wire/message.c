/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "wire/message.h"
#include "wire/object.h"

static const char *const names[MESSAGE_TYPES] = {
        [MESSAGE_MOUNT_PLEASE] = "procMountPlease",
        [MESSAGE_MOUNT_FD] = "procMountFd",
        [MESSAGE_HOOKS] = "procHooks",
        [MESSAGE_HOOKS_DONE] = "procHooksDone",
        [MESSAGE_READY] = "procReady",
        [MESSAGE_RUN] = "procRun",
        [MESSAGE_SECCOMP] = "procSeccomp",
        [MESSAGE_SECCOMP_DONE] = "procSeccompDone",
        [MESSAGE_ERROR] = "procError",
};

const char *message_name(enum message_type type) {
        return type < MESSAGE_TYPES ? names[type] : "end-of-file";
}

struct envelope {
        struct string type;
        int64_t flags;
        int known;                      /* an enum message_type, or -1 */
        struct reader arg;                /* where the argument lies, when it came before the type */
        int has_arg, arg_read;
        struct message *message;
};

static int type_of(const struct string *name) {
        int i;

        for (i = 0; i < MESSAGE_TYPES; i++)
                if (strlen(names[i]) == name->length && memcmp(names[i], name->data, name->length) == 0)
                        return i;
        return -1;
}

static void read_kind(struct reader *reader, void *to) {
        struct message *message = to;
        struct string kind;

        reader_text(reader, &kind);
        if (object_is(&kind, "plain-open"))
                message->plain_open = 1;
        else if (!object_is(&kind, "open_tree"))
                reader_fail(reader, "\"open_tree\" or \"plain-open\"");
}

static void read_mount_fd(struct reader *reader, struct message *message) {
        static const struct object_field fields[] = { { "type", read_kind } };

        object_read(reader, fields, ARRAY_SIZE(fields), 1, message);
}

static void read_text(struct reader *reader, void *to) {
        struct message *message = to;

        reader_text(reader, &message->text);
}

/* Only the text is taken from an error; what else the other side adds is for people who look at the wire. */
static void read_error(struct reader *reader, struct message *message) {
        static const struct object_field fields[] = { { "message", read_text } };

        object_read(reader, fields, ARRAY_SIZE(fields), 0, message);
}

static void read_arg(struct reader *reader, struct message *message) {
        switch (message->type) {
        case MESSAGE_MOUNT_PLEASE:
                if (message->mount)
                        mount_read(reader, message->mount);
                else
                        reader_skip(reader);
                break;
        case MESSAGE_MOUNT_FD:
                read_mount_fd(reader, message);
                break;
        case MESSAGE_SECCOMP:
                message->number = reader_int(reader, INT64_MIN, INT64_MAX);
                break;
        case MESSAGE_ERROR:
                read_error(reader, message);
                break;
        default:
                reader_fail(reader, "no argument");
        }
}

static void read_type(struct reader *reader, void *to) {
        struct envelope *envelope = to;

        if (reader->error)              /* a second one: the first names the message in the complaint */
                return;
        reader_text(reader, &envelope->type);
        envelope->known = type_of(&envelope->type);
}

static void read_flags(struct reader *reader, void *to) {
        struct envelope *envelope = to;

        envelope->flags = reader_int(reader, INT64_MIN, INT64_MAX);
}

/* Go writes the type first; should it come later, the argument is passed over and read afterwards. */
static void read_arg_later(struct reader *reader, void *to) {
        struct envelope *envelope = to;

        envelope->has_arg = 1;
        if (envelope->known >= 0) {
                envelope->message->type = (enum message_type)envelope->known;
                read_arg(reader, envelope->message);
                envelope->arg_read = 1;
                return;
        }
        envelope->arg = *reader;
        reader->keep = 1;
        reader_skip(reader);
        reader->keep = 0;
        envelope->arg.end = reader->at;
}

static int complain(const struct reader *reader, const struct envelope *envelope, struct initsync_error *reterr) {
        char key[160] = "";
        size_t i, used = 0;

        for (i = 0; i < reader->n_path && used < sizeof(key); i++)
                used += (size_t)snprintf(key + used, sizeof(key) - used, "%s%s", i ? "." : "", reader->path[i]);
        return error_say(reterr, -EPROTO, INITSYNC_STAGE_WIRE, NULL, NULL, "%s: %s%sexpected %s",
                         envelope->known >= 0 ? names[envelope->known] : "message", key, key[0] ? ": " : "", reader->error);
}

static int read_envelope(struct reader *reader, struct envelope *envelope) {
        static const struct object_field fields[] = {
                { "type", read_type },
                { "flags", read_flags },
                { "arg", read_arg_later },
        };

        object_read(reader, fields, ARRAY_SIZE(fields), 1 << 0 | 1 << 1, envelope);
        return reader_end(reader);
}

/* Which messages cannot do without an argument. */
static int needs_arg(int type) {
        return type == MESSAGE_MOUNT_PLEASE || type == MESSAGE_MOUNT_FD || type == MESSAGE_SECCOMP;
}

int message_read(char *packet, size_t n, struct message_mount *mount, struct message *ret, struct initsync_error *reterr) {
        struct message message = { .mount = mount, .text = { .data = (char *)"" } };
        struct envelope envelope = { .known = -1, .message = &message };
        struct reader reader;

        reader_init(&reader, packet, n);
        if (read_envelope(&reader, &envelope) < 0)
                return complain(&reader, &envelope, reterr);
        if (envelope.known < 0)
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_WIRE, NULL, NULL, "message: type: \"%.*s\" is unknown",
                                 (int)(envelope.type.length < LIMIT_TYPE ? envelope.type.length : LIMIT_TYPE),
                                 envelope.type.data);
        message.type = (enum message_type)envelope.known;
        if (envelope.has_arg && !envelope.arg_read) {
                read_arg(&envelope.arg, &message);
                if (envelope.arg.error)
                        return complain(&envelope.arg, &envelope, reterr);
        }
        if (!envelope.has_arg && needs_arg(message.type))
                return error_say(reterr, -EPROTO, INITSYNC_STAGE_WIRE, NULL, NULL, "%s: arg is missing", names[message.type]);
        message.has_fd = envelope.flags & 1;    /* other bits are for later versions */
        *ret = message;
        return 0;
}

struct span {
        const char *start, *end;
};

static void skip_member(struct reader *reader, void *to) {
        (void)to;
        reader_skip(reader);
}

static void note_span(struct reader *reader, void *to) {
        struct span *span = to;

        reader_peek(reader);
        span->start = reader->at;
        reader_skip(reader);
        span->end = reader->at;
}

const char *message_arg(char *packet, size_t n, size_t *ret_length) {
        static const struct object_field fields[] = { { "type", skip_member }, { "arg", note_span } };
        struct span span = { NULL, NULL };
        struct reader reader;

        reader_init(&reader, packet, n);
        reader.keep = 1;
        object_read(&reader, fields, ARRAY_SIZE(fields), 0, &span);
        if (reader.error || !span.start)
                return NULL;
        *ret_length = (size_t)(span.end - span.start);
        return span.start;
}
