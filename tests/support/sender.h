/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_SENDER_H
#define SUPPORT_SENDER_H

/* A child that sends a descriptor with its procSeccomp, against a script. */

#include <initsync.h>

#define SENDER_MESSAGE "<{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":2}"

/** sender_good - for sender_play(): the descriptor arrives, and all is well */
extern const char *const sender_good[];

/** sender_begin() - up to where the filter is loaded; NULL when that failed */
struct initsync_child *sender_begin(int socket);

/** sender_play() - run @child against @script; its exit status, and how long that took */
int sender_play(int (*child)(int socket, void *arg), const char *const *script, int64_t *ret_ms);

/** sender_pid() - this thread's child process, that sends; 0 when there is none */
int sender_pid(void);

#endif
