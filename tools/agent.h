/* SPDX-License-Identifier: MIT */
#ifndef AGENT_H
#define AGENT_H

/*
 * The agent that decides a container's notified system calls: another program, behind a socket, which may be slow or hung.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"

#define AGENT_TIMEOUT_MS 8000           /* to connect and to take what is sent; less than the 10 s that our init waits */

/*
 * agent_give() - send the listener of @bundle's filter to the agent, with the specification's ContainerProcessState
 * @pid:        of the container's process
 * @listener:   stays the caller's
 * @timeout_ms: for all of it, where that is less than AGENT_TIMEOUT_MS; or 0
 * @stop:       two descriptors; gives up when one of them becomes readable; -1 never does
 *
 * Return: 0; -ETIMEDOUT; -EINTR for @stop; the errno of connect(2) or sendmsg(2).
 */
int agent_give(const struct bundle *bundle, pid_t pid, int listener, int timeout_ms, const int stop[static 2],
               struct initsync_error *reterr);

#endif /* AGENT_H */
