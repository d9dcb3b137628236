/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_DENY_H
#define SUPPORT_DENY_H

/* An older kernel, or a container's filter: for this thread and what it forks from here on. There is no way back. */

/** deny_call() - system call @number answers @error, a positive errno, and does nothing */
void deny_call(int number, int error);

/** deny_call_if() - only where the low half of argument @arg (0 to 5) is @value */
void deny_call_if(int number, int arg, unsigned value, int error);

#endif
