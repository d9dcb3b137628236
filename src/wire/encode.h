/* SPDX-License-Identifier: MIT */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

/* Writing messages, as runc >= 1.4 writes them. */

#include <initsync.h>
#include "wire/limits.h"
#include "wire/message.h"

struct bytes {
        const char *data;
        size_t n;
};

/* encode_plain() - a message without an argument, and procMountFd with a detached mount: constant texts */
struct bytes encode_plain(enum message_type type);

/* encode_seccomp() - procSeccomp with the listener's number; returns the length */
size_t encode_seccomp(int number, int has_fd, char *to, size_t size);

/*
 * encode_mount() - procMountPlease; *@ret is the caller's to free()
 *
 * Return: the length; -EILSEQ for a path that is not UTF-8 (Go would replace what is wrong in it and mount another one);
 * -EMSGSIZE for more than LIMIT_REQUEST; -ENOMEM.
 */
int encode_mount(const struct initsync_mount *mount, char **ret);

/* encode_error() - procError; needs no memory: it is what tells of the want of it. Returns the length */
size_t encode_error(const struct initsync_error *error, char to[static LIMIT_ANSWER]);

#endif /* WIRE_ENCODE_H */
