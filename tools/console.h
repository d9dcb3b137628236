/* SPDX-License-Identifier: MIT */
#ifndef CONSOLE_H
#define CONSOLE_H

/*
 * The container's own terminal: made by the child in the container's devpts, whose master goes over a socket to whoever
 * shows it, as runc does it: one message, whose data is a name and whose control data is the one descriptor.
 */

#include <initsync.h>
#include "bundle.h"

/*
 * console_make() - in the child: allocate the terminal of @bundle, make it /dev/console, and send its master
 * @root:      the container's root file system, with all of its mounts
 * @own:       the last file system that the bundle has mounted on /dev, or -1: /dev is not looked up by name then
 * @socket_fd: where to; stays the caller's
 *
 * Nothing that the image can influence is opened by path. Where /dev is a bind mount, nothing is made in it.
 */
int console_make(const struct bundle *bundle, int root, int own, int socket_fd, int *ret_slave,
                 struct initsync_error *reterr);

/* console_enter() - make @slave the controlling terminal of a new session, and standard input, output and error */
int console_enter(int slave, struct initsync_error *reterr);

/* console_pair() - a socket pair for console_make() and console_receive() */
int console_pair(int *ret_ours, int *ret_theirs, struct initsync_error *reterr);

/* console_connect() - to the AF_UNIX stream socket @path, in bounded time; the path may be longer than struct sockaddr_un */
int console_connect(const char *path, int *ret_fd, struct initsync_error *reterr);

/*
 * console_receive() - the master that the child sent to the other end of console_pair()
 *
 * The child may have sent anything, also a file whose close(2) never returns, or nothing. Only a terminal's master ever
 * becomes a descriptor of this process.
 */
int console_receive(int socket_fd, int *ret_master, struct initsync_error *reterr);

#endif /* CONSOLE_H */
