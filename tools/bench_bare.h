/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

/*
 * The floor of a conversation: the same packets by the same system calls, without the library. With JSON, json-c parses and prints
 * the same texts; without, they are constants.
 */

#include <stdbool.h>
#include <initsync.h>

/* What one side is to do; no error is told in words, since nothing of this is anybody's input. */
struct bare {
        int socket;
        bool json;
        const struct initsync_mount *mount;
        int userns_fd;                  /* of the parent: the namespace of @mount's map, or -1 */
};

/* bare_ask() - send one procMountPlease; bare_receive() - take its answer: the detached mount, or a negative errno */
int bare_ask(const struct bare *bare);
int bare_receive(const struct bare *bare);

/* bare_serve() - answer one procMountPlease from the mount namespace this process is in; 0 at the end of the conversation */
int bare_serve(const struct bare *bare);

/* bare_step() - one of the four packets of hooks and ready, out or in */
int bare_send(int socket, const char *text);
int bare_expect(int socket, char *to, size_t size);

/* The four parts of JSON that one request takes. */
enum bare_json {
        BARE_PRINT_REQUEST,
        BARE_PARSE_REQUEST,
        BARE_PRINT_ANSWER,
        BARE_PARSE_ANSWER,
        BARE_JSON_PARTS
};
int bare_json(const struct initsync_mount *mount, enum bare_json part);

#endif /* BENCH_BARE_H */
