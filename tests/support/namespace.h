/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_NAMESPACE_H
#define SUPPORT_NAMESPACE_H

/*
 * A mount namespace of one's own, so that no test can change the host's mount table, with an empty tmpfs to work in. An
 * ordinary user gets a user namespace too, in which he alone is mapped, to 0.
 */

/** namespace_enter() - at the start of main(), before any thread; ends the program by a TAP skip where it may not */
void namespace_enter(void);

/** namespace_leave() - remove all that was made; -1 if it showed in the host's mount table */
int namespace_leave(void);

/** namespace_again() - one more, with an empty tmpfs: what is made from here on goes away with this process */
void namespace_again(void);

/** namespace_root() - is this root of the initial user namespace */
int namespace_root(void);

/** namespace_map() - after unshare(CLONE_NEWUSER): @uid and @gid, those from before, are 0 inside */
void namespace_map(unsigned uid, unsigned gid);

/** namespace_pids() - run @body, which must end well, in a process of a new pid namespace, with the old one's /proc */
void namespace_pids(void (*body)(void));

/** namespace_ordinary() - root becomes an ordinary user of this uid and gid, for good */
#define NAMESPACE_ORDINARY 65533
void namespace_ordinary(void);

/** namespace_dir() - the tmpfs */
const char *namespace_dir(void);

#endif
