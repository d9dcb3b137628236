/* SPDX-License-Identifier: MIT */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

/* Id maps as pure data. */

#include <stddef.h>
#include <initsync.h>

/* A uid_map file takes one write below a page, and "4294967295 4294967295 4294967295\n" is 33 bytes. */
#define IDMAP_TEXT_MAX 4096

/*
 * idmap_check() - are these extents what the kernel would take, and mean the same there as here
 *
 * uid_map itself takes numbers modulo 2^32, so that a host id of 4294967296 would be host root.
 *
 * Return: 0, -EINVAL, -ERANGE or -E2BIG as initsync_idmap_parse(); in @reterr which extent.
 */
int idmap_check(const struct initsync_idmap *extents, size_t n, const char *name, struct initsync_error *reterr);

/*
 * idmap_sort() - make a map canonical: order does not matter to the kernel
 *
 * Neighbours that could be one extent are not joined: an ordinary user's map may consist of several extents, and then the kernel
 * takes each part alone and refuses the whole.
 */
void idmap_sort(struct initsync_idmap *extents, size_t n);

/* idmap_equal() - are two canonical maps the same */
int idmap_equal(const struct initsync_idmap *a, size_t n_a, const struct initsync_idmap *b, size_t n_b);

/* idmap_text() - as lines of a uid_map file; returns the length, below IDMAP_TEXT_MAX, or -E2BIG */
int idmap_text(const struct initsync_idmap *extents, size_t n, char text[static IDMAP_TEXT_MAX]);

#endif /* BASE_IDMAP_H */
