/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "bytes.h"
#include "recording.h"

#include <dirent.h>

static void add_line(struct recording *recording, const char *line, size_t n) {
        const char *space = memchr(line, ' ', n);
        struct recording_line *added;
        size_t word;

        if (n == 0 || line[0] == '#')
                return;
        word = space ? (size_t)(space - line) : n;
        recording->lines = realloc(recording->lines, (recording->n + 1) * sizeof(*recording->lines));
        assert(recording->lines);
        added = &recording->lines[recording->n++];
        assert(space && word < sizeof(added->word));
        memcpy(added->word, line, word);
        added->word[word] = '\0';
        added->n = n - word - 1;
        added->text = bytes_exact(space + 1, added->n);
}

static void read_file(struct recording *recording) {
        FILE *file = fopen(recording->path, "re");
        char *line = NULL;
        size_t room = 0;
        ssize_t n;

        assert(file);
        while ((n = getline(&line, &room, file)) > 0)
                add_line(recording, line, line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n);
        free(line);
        fclose(file);
}

static int is_recording(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return n > 4 && strcmp(entry->d_name + n - 4, ".txt") == 0;
}

size_t recording_each(const char *folder, void (*look)(const struct recording *recording, void *to), void *to) {
        struct dirent **entries;
        int n = scandir(folder, &entries, is_recording, alphasort), i;

        for (i = 0; i < n; i++) {
                struct recording recording = { .path = bytes_format("%s/%s", folder, entries[i]->d_name) };
                size_t k;

                read_file(&recording);
                look(&recording, to);
                for (k = 0; k < recording.n; k++)
                        free(recording.lines[k].text);
                free(recording.lines);
                free(recording.path);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return n < 0 ? 0 : (size_t)n;
}

const char *recording_folder(void) {
        static char folder[4096];
        const char *top = getenv("top_srcdir");

        snprintf(folder, sizeof(folder), "%s/tests/conversations", top ? top : ".");
        return folder;
}
