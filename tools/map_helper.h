/* SPDX-License-Identifier: MIT */
#ifndef MAP_HELPER_H
#define MAP_HELPER_H

/*
 * newuidmap(1) and newgidmap(1), which write for an ordinary user what only root may.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"

/* map_helper_find() - where @name is installed, not looking at PATH; or NULL */
const char *map_helper_find(const char *name);

/*
 * map_helper_run() - have @program write @map for the process @pid
 * @pid: a child of this process that is not reaped, so that the number is its own
 *
 * With nothing of this process's but the ids: no environment, no descriptors. What it says on stderr is in the error; -ETIME
 * if it does not end.
 */
int map_helper_run(const char *program, pid_t pid, const struct bundle_map *map, struct initsync_error *reterr);

#endif /* MAP_HELPER_H */
