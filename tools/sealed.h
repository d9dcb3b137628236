/* SPDX-License-Identifier: MIT */
#ifndef SEALED_H
#define SEALED_H

/*
 * The running program as something that no container can write: a process of the container that gets at /proc/PID/exe of ours
 * (an image whose /bin/sh is a link to /proc/self/exe, for one) must not find the host's file there (CVE-2019-5736).
 */

#include <initsync.h>

/*
 * sealed_restart() - have this process run from a sealed copy of its executable, if it does not yet
 *
 * In place, as root; where that cannot be, the copy is executed, and this does not return.
 *
 * Return: 0, or a negative errno: to go on from the host's file would be unsafe.
 */
int sealed_restart(char **argv, struct initsync_error *reterr);

#endif /* SEALED_H */
