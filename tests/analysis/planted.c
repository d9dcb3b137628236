/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

/* Never built. Bugs that each of the programs of analyze.py knows: one that is silent about this file has not looked. */

int planted_null(int n);
int planted_twice(int n);
int planted_compare(const char *text);

int planted_null(int n) {
        int *p = NULL;

        if (n > 3)
                p = &n;
        return *p;
}

int planted_twice(int n) {
        char *block = malloc(8);

        if (!block)
                return -1;
        block[0] = (char)n;
        free(block);
        free(block);
        return 0;
}

int planted_compare(const char *text) {
        if (strcmp(text, "a") || sizeof(text) == sizeof(char *) * 8)
                return 1;
        return sizeof(sizeof(text)) == 3;
}
