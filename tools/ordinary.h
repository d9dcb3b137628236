/* SPDX-License-Identifier: MIT */
#ifndef ORDINARY_H
#define ORDINARY_H

/*
 * A user who is not root, and starts containers all the same: in a user namespace that this process enters itself, where it
 * may do what root may, as far as the kernel lets it.
 *
 * In there, ids are what they are outside, so that those of config.json need no translation: the own one, and as many of the
 * user's subordinate ones as the bundle names.
 */

#include <stdbool.h>
#include <initsync.h>
#include "bundle.h"

/* ordinary_user() - whether this process has not the rights of root where it is */
bool ordinary_user(void);

/*
 * ordinary_maps() - for a user namespace whose maps @bundle leaves to us: process.user is the own id, and the subordinate
 * ones are all others from 0 on; where there are none that can be mapped, process.user alone, with a warning
 */
int ordinary_maps(struct bundle *bundle, struct initsync_error *reterr);

/* ordinary_enter() - into the user namespace, and a mount namespace that belongs to it, without a way back */
int ordinary_enter(const struct bundle *bundle, struct initsync_error *reterr);

#endif /* ORDINARY_H */
