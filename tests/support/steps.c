/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "steps.h"

struct message steps_decode(const char *text) {
        static struct message_mount mounts[2];
        static char *packets[2];
        static unsigned turn;
        struct initsync_error error;
        struct message message;

        turn = !turn;
        free(packets[turn]);
        packets[turn] = strdup(text);
        assert(packets[turn]);
        memset(&mounts[turn], 0, sizeof(mounts[turn]));
        message.type = MESSAGE_EOF;
        if (message_read(packets[turn], strlen(text), &mounts[turn], &message, &error) < 0)
                message.type = MESSAGE_EOF;
        return message;
}

static struct step *add(struct steps *steps, int from_child, const char *text, size_t n) {
        struct step *step = &steps->at[steps->n++];

        assert(steps->n <= STEPS_MOST);
        *step = (struct step){ .from_child = from_child, .text = strndup(text, n) };
        assert(step->text);
        return step;
}

/* A request that the library cannot even read (no bind) is known by its name all the same. */
static enum message_type type_of(const char *text) {
        enum message_type type = steps_decode(text).type;

        return type == MESSAGE_EOF && strstr(text, "\"procMountPlease\"") ? MESSAGE_MOUNT_PLEASE : type;
}

static int is_from_child(enum message_type type) {
        return type == MESSAGE_MOUNT_PLEASE || type == MESSAGE_HOOKS || type == MESSAGE_READY || type == MESSAGE_SECCOMP ||
               type == MESSAGE_ERROR;
}

/*
 * In a log both halves may have written the same packet down, first the one that sent it; the descriptor packet is not in
 * it.
 */
static void add_logged(struct steps *steps, const struct recording_line *line, char **written) {
        enum message_type type;
        struct step *step;
        size_t i;

        if (strcmp(line->word, "read") == 0 && *written && strlen(*written) == line->n && !memcmp(*written, line->text,
                                                                                                  line->n)) {
                free(*written);
                *written = NULL;
                return;
        }
        step = add(steps, 0, line->text, line->n);
        step->type = type = type_of(step->text);
        step->from_child = is_from_child(type);
        if (strcmp(line->word, "write") == 0) {
                free(*written);
                *written = strdup(step->text);
        }
        if (type == MESSAGE_MOUNT_FD) {
                for (i = steps->n; steps->at[i - 1].type != MESSAGE_MOUNT_PLEASE; i--)
                        assert(i > 1);
                {
                        struct message request = steps_decode(steps->at[i - 1].text);

                        step = add(steps, 0, request.mount->source, strlen(request.mount->source));
                        step->is_descriptor = 1;
                }
        }
}

void steps_read(struct steps *steps, const struct recording *recording) {
        char *written = NULL;
        size_t i;

        memset(steps, 0, sizeof(*steps));
        for (i = 0; i < recording->n; i++) {
                const struct recording_line *line = &recording->lines[i];

                if (strcmp(line->word, "read") == 0 || strcmp(line->word, "write") == 0) {
                        add_logged(steps, line, &written);
                        continue;
                }
                add(steps, line->word[0] == 'c', line->text, line->n);
                if (strcmp(line->word, "p+fd") == 0)
                        steps->at[steps->n - 1].is_descriptor = 1;
                else
                        steps->at[steps->n - 1].type = type_of(steps->at[steps->n - 1].text);
        }
        free(written);
        /* The child's last question has no answer: its parent failed, and only closed. */
        if (steps->n > 1 && steps->at[steps->n - 1].type == MESSAGE_ERROR && steps->at[steps->n - 1].from_child &&
            steps->at[steps->n - 2].from_child)
                steps->parent_said_nothing = 1;
}

void steps_free(struct steps *steps) {
        while (steps->n)
                free(steps->at[--steps->n].text);
}

int steps_has(const struct steps *steps, int from_child, enum message_type type) {
        size_t i;

        for (i = 0; i < steps->n; i++)
                if (!steps->at[i].is_descriptor && steps->at[i].from_child == from_child && steps->at[i].type == type)
                        return 1;
        return 0;
}
