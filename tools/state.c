/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "say.h"
#include "state.h"

#define STATE_VERSION "1.3.0"           /* of the specification; its state has been the same since 1.0 */

static void value_freep(struct json_object **value) {
        json_object_put(*value);
}

/* Consumes @value. */
static bool add(struct json_object *object, const char *key, struct json_object *value) {
        if (!value)
                return false;
        if (json_object_object_add(object, key, value) == 0)
                return true;
        json_object_put(value);
        return false;
}

/* Some readers take an escaped slash for two characters. */
#define FORMAT (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* A bundle's path may be any bytes; all else that is in there was checked when it was read. */
static bool is_utf8(const char *text, size_t n) {
        struct json_tokener *tokener = json_tokener_new();
        struct json_object *again = NULL;

        if (tokener) {
                json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8);
                again = json_tokener_parse_ex(tokener, text, (int)n);
                json_tokener_free(tokener);
        }
        json_object_put(again);
        return again != NULL;
}

struct json_object *state_new(const struct bundle *bundle, const char *status, pid_t pid) {
        _cleanup_(value_freep) struct json_object *state = json_object_new_object();

        if (!state ||
            !add(state, "ociVersion", json_object_new_string(STATE_VERSION)) ||
            !add(state, "id", json_object_new_string(bundle->id)) ||
            !add(state, "status", json_object_new_string(status)) ||
            (pid > 0 && !add(state, "pid", json_object_new_int64(pid))) ||
            !add(state, "bundle", json_object_new_string(bundle->path)) ||
            (bundle->annotations && !add(state, "annotations", json_object_get(bundle->annotations))))
                return NULL;
        return take_ptr(state);
}

int state_json(char **ret_text, const struct bundle *bundle, const char *status, pid_t pid, struct initsync_error *reterr) {
        _cleanup_(value_freep) struct json_object *state = state_new(bundle, status, pid);
        const char *text;
        size_t n;

        text = state ? json_object_to_json_string_length(state, FORMAT, &n) : NULL;
        if (text && !is_utf8(text, n))
                return fault(reterr, -EILSEQ, "%s: no UTF-8, which the container's state must be", bundle->path);
        *ret_text = text ? strdup(text) : NULL;
        return *ret_text ? 0 : fault_call(reterr, -ENOMEM, "malloc", "the container's state");
}
