/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_SOCKET_H
#define SUPPORT_SOCKET_H

/* The other end of a socket, which may do all that the library would not. */

#include <stddef.h>

#define SOCKET_FDS_MAX 253      /* SCM_MAX_FD of the kernel */

/* socket_pair() - AF_UNIX SOCK_SEQPACKET, close-on-exec */
void socket_pair(int ends[2]);

/* socket_send() - one packet, also an empty one, with @n_fds copies of @fd */
void socket_send(int socket, const void *data, size_t n, int fd, size_t n_fds);
void socket_send_text(int socket, const char *text);

/* socket_fill() - send until the other side would have to read; returns how many packets that took */
size_t socket_fill(int socket);

/* socket_file() - a descriptor of /dev/null */
int socket_file(void);

#endif /* SUPPORT_SOCKET_H */
