/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PROCFS_H
#define KERNEL_PROCFS_H

#include <stddef.h>

/* A /proc that is one: procfs itself, of this process's own pid namespace, with nothing mounted over what is opened. */

/*
 * procfs_open() - its root, as a descriptor for paths; where /proc is none, of one that is made for the purpose
 *
 * Return: a descriptor; -ENOSYS where /proc is something else, or shows another pid namespace, and no other can be had.
 */
int procfs_open(void);

/*
 * procfs_keeps_pids() - are children of this thread born in its own pid namespace: 0, or -EINVAL after unshare(CLONE_NEWPID)
 *
 * The first of them would be the init of that namespace, and its end the end of all that should come.
 */
int procfs_keeps_pids(int procfs);

/* procfs_open_pid() - open "@pid/@name" below @procfs, through no symlink and no mount point; @flags as for open(2) */
int procfs_open_pid(int procfs, int pid, const char *name, int flags);

/*
 * procfs_open_exe() - open the running executable itself, wherever its name leads by now; @flags as for open(2)
 * @link:       gets what the kernel calls it: a path, if it still has one; @size bytes at most, terminated
 *
 * The procfs may be that of another pid namespace: "self" is this process in each one that shows it at all.
 *
 * Return: a descriptor; -ENOSYS without a usable /proc; -EXDEV where something is mounted over this process in it.
 */
int procfs_open_exe(int flags, char *link, size_t size);

#endif /* KERNEL_PROCFS_H */
