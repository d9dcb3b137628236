/* SPDX-License-Identifier: MIT */
#ifndef BENCH_BUNDLE_H
#define BENCH_BUNDLE_H

#include <initsync.h>

/* An OCI bundle whose program is a static true: default mounts, the usual namespaces, and one id-mapped bind mount or none. */

/* bundle_make() - at @path, with all it needs; @mapped: the source of an id-mapped bind at /data, or NULL */
int bundle_make(const char *path, const char *mapped, struct initsync_error *reterr);

/* bundle_program() - write the static true at @path: an ELF file of a few instructions */
int bundle_program(const char *path, struct initsync_error *reterr);

#endif /* BENCH_BUNDLE_H */
