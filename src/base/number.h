/* SPDX-License-Identifier: MIT */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

/* Numbers as text, read exactly: digits only, no sign, no space, a limit instead of a silent wrap. */

#include <stdint.h>

/*
 * number_read() - read decimal digits at *@text, move it behind them
 *
 * Return: 0; -EINVAL where there is no digit; -ERANGE above @max.
 */
int number_read(const char **text, uint64_t max, uint64_t *ret);

#endif /* BASE_NUMBER_H */
