/* SPDX-License-Identifier: MIT */
#ifndef WIRE_ENCODE_H
#define WIRE_ENCODE_H

/* Writing messages, as runc >= 1.4 writes them. */

#include <initsync.h>
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

/* encode_error_to() - procError into LIMIT_ANSWER bytes at @to, without an allocation; returns the length */
size_t encode_error_to(const struct initsync_error *error, char *to, size_t size);

/* encode_error() - the same as a copy, the caller's to free(); returns the length, or -ENOMEM */
int encode_error(const struct initsync_error *error, char **ret);

#endif /* WIRE_ENCODE_H */
