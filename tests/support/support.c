/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>

int support_fd_count(void) {
        struct dirent *entry;
        int count = 0;
        DIR *dir;

        dir = opendir("/proc/self/fd");
        if (!dir)
                return -errno;
        while ((entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        count++;
        closedir(dir);
        return count - 1;       /* without the directory's own */
}
