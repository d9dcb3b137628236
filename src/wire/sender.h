/* SPDX-License-Identifier: MIT */
#ifndef WIRE_SENDER_H
#define WIRE_SENDER_H

/*
 * Another process that sends a descriptor of ours, for one that is about to load a filter: sendmsg(2) may be denied then, or wait
 * for an agent that has no listener yet. It shares our memory and our descriptors, has no filter, and is told the number by
 * write(2). It ends when it has sent, when we give up, when we execute a program, and when we die; nobody has to reap it.
 */

struct sender;

/*
 * sender_start() - make it ready
 * @socket: where to send; stays the caller's
 *
 * Until the next execve(2), children of this process that end are not kept for anybody to reap.
 *
 * Return: 0; -ENOSYS on an architecture without an entry stub in kernel/task.c; -EINVAL after unshare(CLONE_NEWPID), or in another
 * thread than the first; the errno of pipe2(2), mmap(2), clone(2).
 */
int sender_start(struct sender **ret_sender, int socket);

/* sender_give() - have it send @fd; write(2) is all that is called. Return: 0, or a negative errno of it */
int sender_give(struct sender *sender, int fd);

/*
 * sender_wait() - until it has ended, which it does once it has sent: no program that is executed then has it for a child
 *
 * No system call may be made, so that the processor waits; the kernel tells by the memory that we share.
 */
void sender_wait(const struct sender *sender);

/* sender_result() - 0, or the negative errno of its @ret_call, upon which it has ended the socket's incoming side */
int sender_result(const struct sender *sender, const char **ret_call);

/*
 * sender_end() - let it end, which closes what it has of our descriptors; its memory stays until this process executes or ends
 *
 * What it was given to send may be closed then: it sends that no more. Returns NULL.
 */
struct sender *sender_end(struct sender *sender);

#endif /* WIRE_SENDER_H */
