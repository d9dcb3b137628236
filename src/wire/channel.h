/* SPDX-License-Identifier: MIT */
#ifndef WIRE_CHANNEL_H
#define WIRE_CHANNEL_H

/*
 * The child's end of the socket: whole messages, out and in, with a deadline. Here alone is known that a message and its
 * descriptor are two packets.
 */

#include "wire/message.h"

struct channel {
        int socket;
        int waits;                              /* packet_set_timeout() has been told @timeout_ms */
        int timeout_ms;
        size_t n_kept, n_name;
        char packet[LIMIT_ANSWER + 1];          /* the last message received; its strings lie here */
        char kept[LIMIT_ANSWER + 1];            /* the same as it came, for the trace */
        char name[LIMIT_PATH + 2];              /* of the last descriptor packet */
};

/*
 * channel_send() - send a packet, waiting @timeout_ms (-1: for ever) while the other side does not read
 *
 * Return: 0; -ETIMEDOUT; -ECONNRESET when it is gone; another negative errno of sendmsg(2).
 */
int channel_send(struct channel *channel, const char *data, size_t n, int fd, int timeout_ms);

/*
 * channel_receive() - the next message and, where one belongs to it, its descriptor
 *
 * Where procError comes in place of a descriptor packet, it is what is returned.
 *
 * Return: 0; -ECONNRESET at end-of-file; -EPROTO, -EMSGSIZE, -EMFILE, -ETIMEDOUT, with @reterr filled.
 */
int channel_receive(struct channel *channel, int timeout_ms, struct message *ret, int *ret_fd,
                    struct initsync_error *reterr);

#endif /* WIRE_CHANNEL_H */
