/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_ORACLE_H
#define SUPPORT_ORACLE_H

/*
 * The one judge of leaks: what this process has and what is alive because of it, before and after.
 *
 *      descriptors with what they are open on · children, zombies and whatever else is of our process group · threads · stacks of
 *      tasks · tasks that hang · the mount table · mount and user namespaces · unix sockets of the network namespace
 */

#include <stddef.h>

struct oracle {
        char seen[128 * 1024];  /* "KIND DETAILS" a line */
        size_t n;
};

/*
 * oracle_enter() - at the start of main(): a user, mount and network namespace of one's own, in which counts are exact
 *
 * There is a tmpfs at oracle_dir(). Root keeps all ids, an ordinary user has one. Returns 1; 0 where the system does not let us,
 * and oracle_why() says what failed.
 */
int oracle_enter(void);
const char *oracle_why(void);
const char *oracle_dir(void);

/* oracle_settle() - the namespaces that are alive now are the test's own, and no leak; takes a moment */
void oracle_settle(void);

/* oracle_group() - from here on whatever this process leaves is known by its process group, also when it is nobody's child */
void oracle_group(void);

/*
 * oracle_adopt() - orphans of whatever this process starts come to it, and the runs look at nothing but their own children
 *
 * For who asks oracle_group_left() after each of many runs. Clears oracle_strangers.
 */
void oracle_adopt(void);

/*
 * oracle_group_left() - is anything alive of the process group of @pid, a child that has called oracle_group() and is reaped
 *
 * What ends by itself within a few oracle_patience_ms is not left. Reaps who of that group has come to us.
 */
int oracle_group_left(int pid);
extern int oracle_strangers;

void oracle_take(struct oracle *oracle);

/* How long what the kernel clears away by itself may take. */
extern int oracle_patience_ms;

/*
 * oracle_check() - what there is now and was not then, and the reverse, a line each, into @to
 *
 * Return: how many there are.
 */
int oracle_check(const struct oracle *before, char *to, size_t size);

/*
 * oracle_namespaces() - 0 when no more mount and user namespaces are alive than at oracle_enter(), whoever holds them: a process, a
 * descriptor, one on its way through a socket, a mount; else what there is too much of, in @to
 *
 * By the kernel's own account (user_namespaces(7), /proc/sys/user): one more is made than is allowed if none has leaked.
 */
int oracle_namespaces(char *to, size_t size);

/* As set-up and tear-down of each test of a group: the whole of it. */
int oracle_setup(void **state);
int oracle_teardown(void **state);
#define oracle_test(f) { #f, f, oracle_setup, oracle_teardown, NULL }

#endif /* SUPPORT_ORACLE_H */
