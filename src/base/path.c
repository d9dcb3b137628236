/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include "base/path.h"

char *path_clean(const char *path) {
        char *out = malloc(strlen(path) + 2);
        size_t used = 0;

        if (!out)
                return NULL;
        while (*path) {
                size_t n;

                while (*path == '/')
                        path++;
                n = strcspn(path, "/");
                if (n == 2 && path[0] == '.' && path[1] == '.') {
                        while (used && out[--used] != '/')
                                ;
                } else if (n && !(n == 1 && path[0] == '.')) {
                        out[used++] = '/';
                        memcpy(out + used, path, n);
                        used += n;
                }
                path += n;
        }
        if (used == 0)
                out[used++] = '/';
        out[used] = '\0';
        return out;
}

const char *path_below(const char *path, const char *root) {
        size_t n = strlen(root);

        if (n == 1)             /* "/": the root file system is the whole namespace */
                return path[1] ? path : "";
        if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
                return NULL;
        return path + n;
}
