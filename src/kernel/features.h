/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_FEATURES_H
#define KERNEL_FEATURES_H

/* What this kernel has. Nothing in the library asks here before it tries: this is for people, and for tests. */

#include <initsync.h>

#endif /* KERNEL_FEATURES_H */
