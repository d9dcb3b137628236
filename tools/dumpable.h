/* SPDX-License-Identifier: MIT */
#ifndef DUMPABLE_H
#define DUMPABLE_H

/*
 * Who may trace this process, take its descriptors, and open its files in /proc: prctl(2), PR_SET_DUMPABLE.
 *
 * One that has entered a container's user and PID namespaces is in reach of whoever is root there, with all that it still has
 * of the host (CVE-2016-9962). Without the flag only root of the user namespace that this program was executed in is left.
 */

#include <stdbool.h>
#include <initsync.h>

/*
 * dumpable_hide() - take the flag from this process, before it makes another one that shall never have had it
 *
 * Not done where that one's parent, which is as we are, would lose what it needs: to write its id maps, to join its mount
 * namespace. That is an ordinary user, whose own processes reach this one as well; then it is the other's to do.
 *
 * Return: whether dumpable_show() is to give it back.
 */
bool dumpable_hide(void);

void dumpable_show(bool hidden);

/* dumpable_reached() - can this process fetch a descriptor of one that it made, and that has lost the flag */
bool dumpable_reached(void);

/* dumpable_end() - for good */
int dumpable_end(struct initsync_error *reterr);

#endif /* DUMPABLE_H */
