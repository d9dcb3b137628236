/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "file.h"
#include "layers.h"

const struct initsync_idmap layers_map = { 0, 100000, 65536 };
const char *layers_lower[INITSYNC_OVERLAY_LAYERS_MAX + 1];

struct initsync_overlay layers(size_t n) {
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;
        static char names[INITSYNC_OVERLAY_LAYERS_MAX + 1][128], upper[128], work[128];
        size_t i;

        for (i = 0; i < n; i++) {
                snprintf(names[i], sizeof(names[i]), "%.100s", make_dir(path_of("fs/%zu", i)));
                make_file(path_of("fs/%zu/of-0-%zu", i, i), 0);
                make_file(path_of("fs/%zu/of-1000-%zu", i, i), 1000);
                layers_lower[i] = names[i];
        }
        snprintf(upper, sizeof(upper), "%.100s", make_dir(path_of("fs/up")));
        snprintf(work, sizeof(work), "%.100s", make_dir(path_of("fs/work")));
        overlay.lower = layers_lower;
        overlay.n_lower = n;
        overlay.upper = upper;
        overlay.work = work;
        overlay.uids = overlay.gids = &layers_map;
        overlay.n_uids = overlay.n_gids = 1;
        return overlay;
}

int layers_open(const struct initsync_overlay *overlay) {
        struct initsync_error error;
        int fd = -1, r = initsync_overlay_open(overlay, &fd, &error);

        if (r < 0)
                fprintf(stderr, "# %s\n", error.text);
        assert(r == 0 && fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        return fd;
}
