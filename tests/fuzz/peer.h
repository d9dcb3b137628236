/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

/* The other side of a socket, which does what the bytes of an input say. */

#include "fuzz.h"

#define PEER_MESSAGES 24

/* peer_message() - the @i-th of PEER_MESSAGES texts, honest and otherwise */
const char *peer_message(unsigned i);

/* peer_send() - one packet with @n_fds descriptors of different kinds beside it, and credentials; never waits */
void peer_send(int socket, const void *data, size_t n, unsigned n_fds, int credentials);

/* peer_receive() - take a packet if there is one, and close what comes with it; 1 when there was one */
int peer_receive(int socket);

/* peer_fds() - how many descriptors this process has */
int peer_fds(void);

/* peer_now() - milliseconds of CLOCK_MONOTONIC */
int64_t peer_now(void);

#endif /* FUZZ_PEER_H */
