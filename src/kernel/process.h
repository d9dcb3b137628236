/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

/* Looking at a process through its pidfd, without reaping it. */

/* process_dead() - has it ended (a zombie counts), by poll(2) of the pidfd */
int process_dead(int pidfd);

/* process_wait() - wait at most @timeout_ms for its end; 1 when it has ended */
int process_wait(int pidfd, int timeout_ms);

/* process_status() - wait status of a dead process: 1 and *@ret_status; 0 where nobody can tell */
int process_status(int pidfd, int *ret_status);

/* process_pid() - its number in this process's pid namespace, or a negative errno */
int process_pid(int pidfd);

/* process_state() - the letter in an open /proc/PID/stat ('Z' also for a leader whose threads live on), 0 if unreadable */
char process_state(int stat_fd);

/* process_kill() - SIGKILL; 0 also when it is dead already */
int process_kill(int pidfd);

#endif /* KERNEL_PROCESS_H */
