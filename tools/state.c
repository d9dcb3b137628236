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

        /* Some readers take an escaped slash for two characters. */
        text = state ? json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
        *ret_text = text ? strdup(text) : NULL;
        return *ret_text ? 0 : fault_call(reterr, -ENOMEM, "malloc", "the container's state");
}
