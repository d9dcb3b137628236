/* SPDX-License-Identifier: MIT */
#ifndef SESSION_WATCH_H
#define SESSION_WATCH_H

/* Whether the child still lives, beyond what its pidfd tells. */

enum watch_state {
        WATCH_ALIVE,
        WATCH_STOPPED,          /* SIGSTOP, or a tracer */
        WATCH_HALF_DEAD,        /* its main thread has ended, others hold its socket and its pidfd up */
        WATCH_UNKNOWN,
};

/* watch_look() - @stat_fd is -1 at first and kept by the caller: the child's /proc/PID/stat */
enum watch_state watch_look(int pidfd, int *stat_fd);

/* watch_status_text() - a wait status in words ("exit status 3", "killed by signal 9 (Killed)"); returns @to */
const char *watch_status_text(int status, char *to, unsigned size);

#endif /* SESSION_WATCH_H */
