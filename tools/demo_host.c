/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "demo_story.h"

/* Is the line @line of @n bytes one of @text? */
static bool has_line(const char *text, const char *line, size_t n) {
        for (; *text; text = strchrnul(text, '\n'), text += *text == '\n')
                if (strncmp(text, line, n) == 0 && (text[n] == '\n' || text[n] == '\0'))
                        return true;
        return false;
}

bool story_is_ours(const struct stage *stage, const char *line, size_t n) {
        char rootfs[PATH_MAX + 16], data[PATH_MAX + 16];

        snprintf(rootfs, sizeof(rootfs), " %s/rootfs", stage->directory);
        snprintf(data, sizeof(data), " %s/data", stage->directory);
        return memmem(line, n, stage->mark, strlen(stage->mark)) || memmem(line, n, rootfs, strlen(rootfs)) ||
               memmem(line, n, data, strlen(data));
}

/* The lines of @some that @others lacks: how many, and how many of them are ours. */
static unsigned count(const struct stage *stage, const char *some, const char *others, unsigned *ours) {
        unsigned n_lines = 0;

        for (const char *end; *some; some = *end ? end + 1 : end) {
                end = strchrnul(some, '\n');
                if (has_line(others, some, (size_t)(end - some)))
                        continue;
                n_lines++;
                *ours += story_is_ours(stage, some, (size_t)(end - some));
        }
        return n_lines;
}

/* Somebody else may mount at any time: that is neither a proof for us nor one against us. */
void story_compare_hosts(struct stage *stage, const char *before, const char *after, const char *when) {
        unsigned ours = 0, changed;

        if (!before || !after) {
                claim(&stage->claims, "a text", "nothing", "mountinfo of the host %s", when);
                return;
        }
        changed = count(stage, after, before, &ours);
        claim_number(&stage->claims, 0, ours, "mounts of the demo in the host's mountinfo %s", when);
        changed += count(stage, before, after, &ours);
        if (changed && ours == 0)
                claim_left_out(&stage->claims, "somebody else changed mounts meanwhile",
                               "the host's mountinfo is as before %s", when);
        else
                claim_number(&stage->claims, 0, changed, "lines of the host's mountinfo that changed %s", when);
}
