/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SEALER_BARE_H
#define BENCH_SEALER_BARE_H

/* The floor of sealing: the calls that make a sealed copy of the running executable, and no look at what came of them. */

/* bare_overlay(), bare_memfd() - a descriptor of the copy, or a negative errno */
int bare_overlay(void);
int bare_memfd(void);

#endif /* BENCH_SEALER_BARE_H */
