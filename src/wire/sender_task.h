/* SPDX-License-Identifier: MIT */
#ifndef WIRE_SENDER_TASK_H
#define WIRE_SENDER_TASK_H

/* What the sender's process and ours have in common. */

#define SENDER_NAME "seccomp"           /* of the descriptor packet; never empty */

struct sender {
        _Alignas(16) char stack[4096];
        int wake[2];                    /* a pipe: the number of the descriptor comes through it */
        int socket;                     /* a copy of the task's own */
        int parent;                     /* our pid, as it sees it */
        int there;                      /* the kernel makes it 0 when we execute another program */
        int alive;                      /* and this when the task ends */
        const char *call;               /* that failed, with this result; which is set last */
        int ended;                      /* nothing will come through the pipe any more */
        int result;
        int left;                       /* how many of the two need wake[0] no more */
};

/* sender_task() - runs in the task, whose argument is the struct sender */
int sender_task(void *arg);

/*
 * sender_leave() - once by the task and once by the other: the second closes the pipe's reading end
 *
 * Its number must not be another's while the task may use it; and without it the other's write would raise SIGPIPE.
 */
void sender_leave(struct sender *sender);

/* sender_send() - the descriptor packet; 0 or a negative errno, -EINTR too */
int sender_send(int socket, int fd);

#endif /* WIRE_SENDER_TASK_H */
