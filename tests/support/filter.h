/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FILTER_H
#define SUPPORT_FILTER_H

/* Seccomp filters, for processes that a test makes and that end soon. */

#include <stddef.h>

/* filter_listener() - a filter that lets everything pass, and its listener: a descriptor, or a negative errno */
int filter_listener(void);

/* filter_only() - from here on any system call but these kills the process */
int filter_only(const int *numbers, size_t n);

/*
 * filter_loud_sends() - sendmsg(2), sendmmsg(2) and sendto(2) without MSG_NOSIGNAL fail with EDOM, as no socket ever does: where a
 * signal would end the process, that is
 */
int filter_loud_sends(void);

/* filter_kills_nobody() - pidfd_send_signal(2) with SIGKILL says that it worked, and does nothing */
int filter_kills_nobody(void);

#endif /* SUPPORT_FILTER_H */
