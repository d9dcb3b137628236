/* SPDX-License-Identifier: MIT */
#ifndef DEMO_USER_H
#define DEMO_USER_H

/*
 * A mount namespace of the demo's own, and what an ordinary user needs before it: a user namespace. The process that
 * enters maps one id by itself; more than that only newuidmap(1) may map, from outside.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <initsync.h>

/* user_enter() - in the process that tells the story; whether as an ordinary user, in *@ret_ordinary */
int user_enter(int ask_fd, int answer_fd, bool *ret_ordinary, struct initsync_error *reterr);

/* user_serve() - in the process that started it: answer what it asks; why there are no further ids, in @why, or "" */
void user_serve(pid_t pid, int ask_fd, int answer_fd, char *why, size_t size);

#endif /* DEMO_USER_H */
