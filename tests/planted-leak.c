/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

/* volatile: without it the compiler removes the allocation, and no trace of the pointer may stay behind. */
static void *volatile leaked;

int main(void) {
        leaked = malloc(4711);
        leaked = NULL;
        return 0;
}
