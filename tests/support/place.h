/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_PLACE_H
#define SUPPORT_PLACE_H

/* Where mounts can be made: a mount namespace of the test's own and, for an ordinary user, a user namespace around it. */

/*
 * place_enter() - go there, before any thread exists; the mounts in it are private
 *
 * Return: 1; 0 where this system does not let us (place_why() says what failed).
 */
int place_enter(void);
const char *place_why(void);

/* place_tmpfs() - a detached tmpfs with a file NAME of content NAME in it; a descriptor or a negative errno */
int place_tmpfs(const char *name);

/* place_has() - is there a file @name below the directory @fd */
int place_has(int fd, const char *name);

#endif /* SUPPORT_PLACE_H */
