/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CLOSING_H
#define KERNEL_CLOSING_H

/*
 * closing_range() - close all descriptors from @first to @last
 *
 * Below Linux 5.9, or behind a filter without close_range(2), those that /proc lists; without a /proc either, what is below 65,536.
 * RAW, and async-signal-safe.
 */
void closing_range(unsigned first, unsigned last);

#endif /* KERNEL_CLOSING_H */
