/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/idmap.h"
#include "mount/overlay_options.h"

#define PATH_MOST 4095
#define ATTRIBUTES 0x002000ffu          /* what fsmount(2) takes: MOUNT_ATTR_* without MOUNT_ATTR_IDMAP */

static int wrong(struct initsync_error *reterr, const char *field, const char *expected) {
        return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL, "overlay: %s: expected %s", field, expected);
}

static int is_path(const char *path) {
        return path && path[0] == '/' && strlen(path) <= PATH_MOST;
}

/* What is compared as text must mean what it says. */
static int has_dots(const char *path) {
        const char *at;

        for (at = path; (at = strstr(at, "/.")); at++)
                if (at[2] == '/' || at[2] == '\0' || (at[2] == '.' && (at[3] == '/' || at[3] == '\0')))
                        return 1;
        return strstr(path, "//") != NULL;
}

static int check_paths(const struct initsync_overlay *overlay, struct initsync_error *reterr) {
        char field[32];
        size_t i;

        if (overlay->n_lower > INITSYNC_OVERLAY_LAYERS_MAX)
                return error_say(reterr, -E2BIG, INITSYNC_STAGE_WIRE, NULL, NULL, "overlay: n_lower: expected at most %d layers, not %zu",
                                 INITSYNC_OVERLAY_LAYERS_MAX, overlay->n_lower);
        if (overlay->n_lower == 0 || !overlay->lower)
                return wrong(reterr, "lower", "one layer at least");
        for (i = 0; i < overlay->n_lower; i++) {
                snprintf(field, sizeof(field), "lower[%zu]", i);
                if (!is_path(overlay->lower[i]))
                        return wrong(reterr, field, "an absolute path of at most 4095 bytes");
        }
        if (!overlay->upper != !overlay->work)
                return wrong(reterr, "upper and work", "both or neither");
        if (!overlay->upper && overlay->n_lower < 2)
                return wrong(reterr, "lower", "two layers at least without upper and work");
        if (overlay->upper && (!is_path(overlay->upper) || has_dots(overlay->upper)))
                return wrong(reterr, "upper", "an absolute path of at most 4095 bytes without '.', '..' and '//'");
        if (overlay->work && (!is_path(overlay->work) || has_dots(overlay->work)))
                return wrong(reterr, "work", "an absolute path of at most 4095 bytes without '.', '..' and '//'");
        return 0;
}

static int check_options(const struct initsync_overlay *overlay, struct initsync_error *reterr) {
        static const char *const ours[] = { "lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir", "source" };
        const char *option;
        char field[32];
        size_t i, k, n;

        if (overlay->n_options && !overlay->options)
                return wrong(reterr, "options", "as many as n_options says");
        for (i = 0; i < overlay->n_options; i++) {
                option = overlay->options[i];
                snprintf(field, sizeof(field), "options[%zu]", i);
                n = option ? strcspn(option, "=") : 0;
                if (n == 0 || strlen(option) >= OVERLAY_OPTION_MAX || strchr(option, ','))
                        return wrong(reterr, field, "KEY or KEY=VALUE of at most 255 bytes without ','");
                for (k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
                        if (strlen(ours[k]) == n && memcmp(ours[k], option, n) == 0)
                                return wrong(reterr, field, "no layer: these are fields of their own");
        }
        return 0;
}

int overlay_check(const struct initsync_overlay *overlay, struct initsync_error *reterr) {
        int r;

        if (overlay->size != sizeof(*overlay))
                return wrong(reterr, "size", "what INITSYNC_OVERLAY_INIT sets");
        if (overlay->attr_set & ~(uint64_t)ATTRIBUTES)
                return wrong(reterr, "attr_set", "MOUNT_ATTR_* that fsmount(2) takes");
        if (!overlay->n_uids != !overlay->n_gids)
                return wrong(reterr, "uids and gids", "both or neither");
        r = check_paths(overlay, reterr);
        if (r >= 0)
                r = check_options(overlay, reterr);
        if (r >= 0 && overlay->n_uids) {
                if (!overlay->uids || !overlay->gids)
                        return wrong(reterr, "uids and gids", "as many extents as n_uids and n_gids say");
                r = idmap_check(overlay->uids, overlay->n_uids, "overlay: uids", reterr);
                if (r >= 0)
                        r = idmap_check(overlay->gids, overlay->n_gids, "overlay: gids", reterr);
        }
        return r < 0 ? r : 0;
}

static __attribute__((format(printf, 3, 4))) void add(char *to, size_t *used, const char *format, ...) {
        va_list args;

        va_start(args, format);
        if (*used < OVERLAY_DATA_MAX)
                *used += (size_t)vsnprintf(to + *used, OVERLAY_DATA_MAX - *used, format, args);
        va_end(args);
}

/* A comma ends an option of mount(2), and there is no way around it that all kernels know. */
static int is_plain(const char *part) {
        return !part || !strpbrk(part, ",:\\");
}

int overlay_data(const struct initsync_overlay *overlay, size_t common, char to[static OVERLAY_DATA_MAX],
                 struct initsync_error *reterr) {
        const char *upper = overlay->upper ? overlay->upper + common : NULL, *work = overlay->work ? overlay->work + common : NULL;
        size_t i, used = 0;

        if (!is_plain(upper) || !is_plain(work))
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_MOUNT, "mount", overlay->upper,
                                 "overlay: upper, work: expected names without ',', ':' and '\\' on this kernel");
        add(to, &used, "lowerdir=");
        for (i = 0; i < overlay->n_lower; i++)
                add(to, &used, "%s%zu", i ? ":" : "", i);
        if (upper && work)
                add(to, &used, ",upperdir=rw/%s,workdir=rw/%s", upper + (*upper == '/'), work + (*work == '/'));
        for (i = 0; i < overlay->n_options; i++)
                add(to, &used, ",%s", overlay->options[i]);
        if (used >= OVERLAY_DATA_MAX)
                return error_say(reterr, -E2BIG, INITSYNC_STAGE_MOUNT, "mount", NULL,
                                 "overlay: %zu layers and their options are more than a page, which is what mount(2) reads on this kernel",
                                 overlay->n_lower);
        return 0;
}
