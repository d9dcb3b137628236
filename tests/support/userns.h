/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_USERNS_H
#define SUPPORT_USERNS_H

/* Asking initsync_userns_open() for what every caller may have. */

#include <initsync.h>

/** userns_own_map() - what the caller may map: root anything, an ordinary user himself */
struct initsync_idmap userns_own_map(void);

/** userns_open_own() - with that map; a descriptor or a negative errno */
int userns_open_own(struct initsync_error *reterr);

/** userns_works() - it must, and is what it should be; closes it */
void userns_works(void);

/** userns_fails() - with this code, and @word in the text */
void userns_fails(int code, const char *word);

#endif
