/* SPDX-License-Identifier: MIT */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

/* One packet out or in. Nothing here waits, unless it is told to. */

#include <stddef.h>

#define PACKET_RAW_FDS 2        /* on 64 bit the space for one descriptor has room for two, and the kernel fills it */

/* packet_check_socket() - 0, -ENOTSOCK or -EPROTOTYPE for what is no AF_UNIX SOCK_SEQPACKET socket, -EBADF */
int packet_check_socket(int socket);

/*
 * packet_only_rights() - have the kernel put nothing beside a packet but what its sender did
 *
 * Credentials, say, that somebody had asked for would look like descriptors that do not fit.
 */
void packet_only_rights(int socket);

/*
 * packet_send() - send @n bytes (at least 1: an empty packet looks like end-of-file), with @fd unless it is negative
 *
 * Return: 0; -EAGAIN while the other side does not read; -EPIPE or -ECONNRESET when it is gone; another negative errno.
 */
int packet_send(int socket, const void *data, size_t n, int fd);

#define PACKET_CLOSED 0                 /* of packet_receive(): end-of-file */


/*
 * packet_receive() - the next packet, and no descriptor
 *
 * There is no control buffer: descriptors that the other side attaches never reach this process's table. (Closing one can hang
 * for ever in a file server of the other side's making.)
 *
 * Return: its length; PACKET_CLOSED; -EAGAIN; -EMSGSIZE for more than @size bytes; -EPROTO for an empty packet (*@ret_why says
 * so) or one with descriptors.
 */
int packet_receive(int socket, void *data, size_t size, const char **ret_why);

/*
 * packet_receive_raw() - the next packet, with whatever descriptors fit into @fds (-1 for none), also when it fails
 *
 * Nothing is closed here: what a hostile peer sent may hang in close(2), and is for the caller to end.
 *
 * Return: as packet_receive(), also without a descriptor; -EPROTO if there is more than one.
 */
int packet_receive_raw(int socket, void *data, size_t size, int fds[static PACKET_RAW_FDS], const char **ret_why);

/*
 * packet_receive_fd() - the next packet, with at most one descriptor (*@ret_fd, else -1)
 *
 * Return: as packet_receive(); -EPROTO also for several, which are closed; -EMFILE when it did not fit in the table.
 */
int packet_receive_fd(int socket, void *data, size_t size, int *ret_fd, const char **ret_why);

/* packet_await_fd() - the same, waiting for as long as packet_set_timeout() said: then -EAGAIN, and -EINTR when a signal came */
int packet_await_fd(int socket, void *data, size_t size, int *ret_fd, const char **ret_why);

/* packet_set_timeout() - how long a receiver waits from now on, negative for ever; 0 or a negative errno */
int packet_set_timeout(int socket, int timeout_ms);

/* packet_set_blocking() - have read(2) and write(2) wait, also for whoever else has the same open socket; 0 or a negative errno */
int packet_set_blocking(int socket);

#endif /* WIRE_PACKET_H */
