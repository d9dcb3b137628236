/* SPDX-License-Identifier: MIT */
#ifndef ORDINARY_IDS_H
#define ORDINARY_IDS_H

/*
 * What ids an ordinary user may map, and what for.
 */

#include <initsync.h>
#include "bundle.h"

enum ids_kind {
        IDS_USER,
        IDS_GROUP,
        N_IDS
};

struct ids {
        struct bundle_map maps[N_IDS];  /* inside as outside */
        struct initsync_error why;      /* why it is the own id alone; its code is 0 where there are subordinate ones */
};

/* ids_read() - what there is to be mapped for this process; for ids_clear(). Return: 0 or -ENOMEM */
int ids_read(struct ids *ids);
void ids_clear(struct ids *ids);

/*
 * ids_check() - whether all that @bundle maps can be, and else say which, by its path, and why not
 * Return: 1 if it takes subordinate ids, 0 if the own ones do, or a negative errno
 */
int ids_check(const struct ids *ids, const struct bundle *bundle, struct initsync_error *reterr);

#endif /* ORDINARY_IDS_H */
