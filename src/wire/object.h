/* SPDX-License-Identifier: MIT */
#ifndef WIRE_OBJECT_H
#define WIRE_OBJECT_H

/* Reading an object by a table of its keys: each at most once, null as if it were absent, unknown ones passed over. */

#include "wire/message.h"

struct object_field {
        const char *name;
        void (*read)(struct reader *reader, void *to);
};

/* object_read() - @required has bit i set when fields[i] must be there; at most 16 fields */
void object_read(struct reader *reader, const struct object_field *fields, size_t n, unsigned required, void *to);

/* object_is() - is a string exactly this text */
int object_is(const struct string *string, const char *text);

/* object_text() - a string without NUL of at most @max bytes */
const char *object_text(struct reader *reader, size_t max);

/* mount_read() - the argument of procMountPlease */
void mount_read(struct reader *reader, struct message_mount *mount);

#endif /* WIRE_OBJECT_H */
