/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_DOCUMENT_H
#define SUPPORT_DOCUMENT_H

/* A text that may have NULs in it, for tables of them. */

#include <stddef.h>

struct document {
        const char *text;
        size_t n;
};

#define DOCUMENT(s) { s, sizeof(s) - 1 }

#endif
