/* SPDX-License-Identifier: MIT */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

/* Reading a message: from the bytes of a packet to a struct with everything checked that can be checked without context. */

#include <initsync.h>
#include "wire/reader.h"
#include "wire/limits.h"

enum message_type {
        MESSAGE_MOUNT_PLEASE,
        MESSAGE_MOUNT_FD,
        MESSAGE_HOOKS,
        MESSAGE_HOOKS_DONE,
        MESSAGE_READY,
        MESSAGE_RUN,
        MESSAGE_SECCOMP,
        MESSAGE_SECCOMP_DONE,
        MESSAGE_ERROR,
        MESSAGE_TYPES,
        MESSAGE_EOF = MESSAGE_TYPES,    /* no message, but a turn of the conversation */
};

/* mount(2) flags that a request is read for */
#define MESSAGE_MS_BIND 4096
#define MESSAGE_MS_REC 16384

/*
 * A mount as runc's configs.Mount; strings point into the packet.
 *
 * All of it is read, so that what is no such mount is refused wherever the fault lies. Acted upon are source, destination,
 * flags and the id mapping alone, and these to find the runtime's own entry. device, data, cleared_flags, extensions,
 * propagation_flags and rec_attr say what the child does with the source when it has it; another request than a bind, for
 * which they would matter, is refused. A file system that the child may not make stands in the list as a detached mount.
 */
struct message_mount {
        const char *source, *destination, *device, *data, *userns_path;
        uint64_t flags, cleared_flags, extensions;
        uint64_t propagation_flags[LIMIT_PROPAGATION];
        size_t n_propagation_flags;
        int has_rec_attr;
        struct {
                uint64_t attr_set, attr_clr, propagation, userns_fd;
        } rec_attr;
        int has_id_mapping, idmap_recursive;
        struct initsync_idmap uids[INITSYNC_IDMAP_MAX], gids[INITSYNC_IDMAP_MAX];
        size_t n_uids, n_gids;
};

struct message {
        enum message_type type;
        int has_fd;                     /* a descriptor packet follows */
        int plain_open;                 /* procMountFd: a descriptor of open(2), not a detached mount */
        int64_t number;                 /* procSeccomp: the listener's number in the child */
        struct string text;        /* procError */
        struct message_mount *mount;    /* procMountPlease: the caller's */
};

/* message_name() - "procMountPlease", ... */
const char *message_name(enum message_type type);

/*
 * message_read() - decode a packet
 * @packet:     @n bytes; modified, and what @ret points to
 * @mount:      room for a request's mount, or NULL where none can come
 *
 * Return: 0, or -EPROTO, in @reterr the message, the key and what was expected. Allocates nothing.
 */
int message_read(char *packet, size_t n, struct message_mount *mount, struct message *ret, struct initsync_error *reterr);

/* message_arg() - where in @packet the argument's text lies, for showing it; NULL where there is none. Reads only. */
const char *message_arg(char *packet, size_t n, size_t *ret_length);

#endif /* WIRE_MESSAGE_H */
