/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FILTER_H
#define SUPPORT_FILTER_H

/* Seccomp filters, for processes that a test makes and that end soon. */

#include <stddef.h>

/* filter_listener() - a filter that lets everything pass, and its listener: a descriptor, or a negative errno */
int filter_listener(void);

/* filter_only() - from here on any system call but these kills the process */
int filter_only(const int *numbers, size_t n);

/* filter_kills_nobody() - pidfd_send_signal(2) with SIGKILL says that it worked, and does nothing */
int filter_kills_nobody(void);

#endif /* SUPPORT_FILTER_H */
