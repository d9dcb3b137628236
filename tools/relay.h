/* SPDX-License-Identifier: MIT */
#ifndef RELAY_H
#define RELAY_H

/*
 * Copies between a user's two streams and the master of a container's terminal, both ways at once.
 *
 * Memory is bounded, and so is each call: neither a side that takes nothing nor a container that has the same master, and
 * can make it a blocking one at any time, holds up the caller.
 */

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define RELAY_BUFFER 16384      /* bytes on their way, in each direction */
#define RELAY_LAST ((size_t)256 * 1024) /* more than a terminal holds: what comes after these was written after the end */

struct relay_channel {
        char data[RELAY_BUFFER];
        size_t start, end;              /* what is in it */
        bool ended;                     /* nothing more comes: end of file, or a failure */
        bool broken;                    /* nothing more goes; what comes is thrown away */
};

struct relay {
        int input, output, master;      /* not owned; master -1: gone */
        bool last;                      /* see relay_last() */
        size_t left;                    /* how much is still read then */
        struct relay_channel in, out;
        struct sigaction old_action;
};

enum {
        RELAY_INPUT,
        RELAY_OUTPUT,
        RELAY_MASTER_IN,                /* to write what was put in */
        RELAY_MASTER_OUT,
        N_RELAY
};

/*
 * relay_begin() - @input is what the user types, @output what is shown
 *
 * Until relay_end(), SIGALRM and the timer of setitimer(ITIMER_REAL) are the relay's. SIGPIPE must be ignored.
 */
void relay_begin(struct relay *relay, int input, int output, int master);
void relay_end(struct relay *relay);

/* relay_poll() - what to wait for; @input: whether anything may be read from there now */
void relay_poll(const struct relay *relay, bool input, struct pollfd waits[static N_RELAY]);

/* relay_move() - copy what can be copied, after poll(2) */
void relay_move(struct relay *relay, const struct pollfd waits[static N_RELAY]);

/* relay_last() - the container has ended: from now on only what it has written already is shown */
void relay_last(struct relay *relay);

/* relay_hung_up() - the user is gone, and all that was typed has been passed on */
bool relay_hung_up(const struct relay *relay);

/* relay_pending() - bytes that were read from the container and are not shown yet */
size_t relay_pending(const struct relay *relay);

#endif /* RELAY_H */
