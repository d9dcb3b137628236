/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

/*
 * Tasks that share this process's memory and are no threads of it: their namespaces and credentials are their own, no SIGCHLD
 * and no waitpid(-1) ever meets them, and one that hangs in the kernel cannot hold up exit or exec.
 *
 * What runs in one is marked RAW: system calls from kernel/syscalls.h, no C library, no allocation, no errno.
 */

#include <stddef.h>

/*
 * task_start() - clone(CLONE_VM | @flags) with exit signal 0 and all signals blocked
 * @flags:      CLONE_NEWUSER, CLONE_FILES, ...
 * @stack:      lowest byte of its stack, 16-byte aligned; must outlive the task
 * @size:       of the stack
 * @run:        its result is the exit status
 * @ret_pidfd:  close-on-exec; -EMFILE and the like leave no task behind
 * @ret_call:   the system call that failed, or NULL
 *
 * Return: its pid, or a negative errno. -ENOSYS on an architecture without an entry stub in clone.h, and where
 * pidfd_send_signal(2) is missing.
 */
int task_start(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd,
               const char **ret_call);

/*
 * task_start_apart() - the same in a copy of this process's memory, for what would change the memory's owner
 *
 * A change of credentials makes all that share the memory undumpable (prctl(2), PR_SET_DUMPABLE). The copy costs as fork(2) does,
 * in proportion to what this process has resident; its locks and threads do not matter, since what runs there uses neither.
 */
int task_start_apart(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg, int *ret_pidfd,
                     const char **ret_call);

/*
 * task_reap() - one that has ended by itself
 *
 * Return: 0; -EBUSY while another process traces it, which alone is shown its end, for as long as it is stopped: it uses neither
 * memory nor descriptors, but is to be reaped later.
 */
int task_reap(int pidfd);

/*
 * task_spawn() - as task_start(), with an exit signal, which is part of @flags, and nothing to hold it by
 *
 * Return: its pid, or a negative errno. -ENOSYS on an architecture without an entry stub in task.c.
 */
int task_spawn(unsigned long flags, void *stack, size_t size, int (*run)(void *), void *arg);

/*
 * task_end() - kill and reap within @timeout_ms
 *
 * Return: 0; -ETIMEDOUT while it hangs in the kernel (it is dying then, and runs no user code any more); -EBUSY as task_reap().
 */
int task_end(int pidfd, int timeout_ms);

#endif /* KERNEL_TASK_H */
