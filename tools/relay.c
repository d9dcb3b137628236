/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/time.h>
#include "relay.h"

#define PIECE 4096      /* a pipe that poll(2) calls writable takes as much */
#define CALL_MS 100     /* the longest that one call may take */

static void interrupt(int number) {
        (void)number;
}

/*
 * poll(2) is no promise: a terminal takes less than is written, another process may have read what was there, and the
 * container can take O_NONBLOCK from the master, whose flags are its own too. So every call is broken off after a while,
 * again and again, lest the first time came before the call.
 */
static void limit(long ms) {
        struct itimerval timer = { { 0, ms * 1000 }, { 0, ms * 1000 } };

        setitimer(ITIMER_REAL, &timer, NULL);
}

static bool again(ssize_t n) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Return: how much came. */
static size_t fill(struct relay_channel *channel, int from, size_t most) {
        size_t room;
        ssize_t n;

        if (channel->start > 0) {
                memmove(channel->data, channel->data + channel->start, channel->end - channel->start);
                channel->end -= channel->start;
                channel->start = 0;
        }
        room = sizeof(channel->data) - channel->end;
        n = read(from, channel->data + channel->end, room < most ? room : most);
        if (n > 0 && !channel->broken)
                channel->end += (size_t)n;
        if (n <= 0 && !again(n))
                channel->ended = true;
        return n > 0 ? (size_t)n : 0;
}

static void flush(struct relay_channel *channel, int to) {
        size_t n = channel->end - channel->start;
        ssize_t done;

        done = write(to, channel->data + channel->start, n < PIECE ? n : PIECE);
        if (done > 0)
                channel->start += (size_t)done;
        if (done < 0 && !again(done)) {
                channel->broken = true;
                channel->start = channel->end = 0;
        }
}

static bool is_full(const struct relay_channel *channel) {
        return channel->end - channel->start == sizeof(channel->data);
}

static bool is_empty(const struct relay_channel *channel) {
        return channel->end == channel->start;
}

void relay_begin(struct relay *relay, int input, int output, int master) {
        struct sigaction action = { .sa_handler = interrupt };  /* without SA_RESTART */
        sigset_t set;

        memset(relay, 0, sizeof(*relay));
        relay->input = input;
        relay->output = output;
        relay->master = master;
        relay->left = RELAY_BUFFER;
        fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
        sigaction(SIGALRM, &action, &relay->old_action);
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void relay_end(struct relay *relay) {
        sigaction(SIGALRM, &relay->old_action, NULL);
}

/* One that is not waited for has no descriptor: a hang-up would be told again and again. */
void relay_poll(const struct relay *relay, bool input, struct pollfd waits[static N_RELAY]) {
        bool reads = relay->master >= 0 && input && !relay->in.ended && !is_full(&relay->in);
        bool shows = relay->master >= 0 && !relay->out.ended && !is_full(&relay->out) && relay->left > 0;

        waits[RELAY_INPUT] = (struct pollfd){ .fd = reads ? relay->input : -1, .events = POLLIN };
        waits[RELAY_OUTPUT] = (struct pollfd){ .fd = is_empty(&relay->out) ? -1 : relay->output, .events = POLLOUT };
        waits[RELAY_MASTER_IN] = (struct pollfd){ .fd = is_empty(&relay->in) ? -1 : relay->master, .events = POLLOUT };
        waits[RELAY_MASTER_OUT] = (struct pollfd){ .fd = shows ? relay->master : -1, .events = POLLIN };
}

void relay_move(struct relay *relay, const struct pollfd waits[static N_RELAY]) {
        size_t n;

        limit(CALL_MS);
        if (waits[RELAY_INPUT].revents)
                fill(&relay->in, relay->input, RELAY_BUFFER);
        if (waits[RELAY_OUTPUT].revents)
                flush(&relay->out, relay->output);
        if (waits[RELAY_MASTER_IN].revents)
                flush(&relay->in, relay->master);
        if (waits[RELAY_MASTER_OUT].revents) {
                n = fill(&relay->out, relay->master, relay->left);
                if (relay->last)
                        relay->left -= n;
        }
        limit(0);
}

void relay_last(struct relay *relay) {
        relay->last = true;
        relay->left = RELAY_LAST;
        relay->in.ended = relay->in.broken = true;
        relay->in.start = relay->in.end = 0;
}

bool relay_hung_up(const struct relay *relay) {
        return !relay->last && relay->in.ended && is_empty(&relay->in);
}

size_t relay_pending(const struct relay *relay) {
        return relay->out.end - relay->out.start;
}
