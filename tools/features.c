/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <initsync.h>
#include <json-c/json.h>
#include "cleanup.h"
#include "commands.h"
#include "say.h"

static void value_freep(struct json_object **value) {
        json_object_put(*value);
}

/* Takes @value over; fails when it is NULL, since then there was no memory for it. */
static int add(struct json_object *object, const char *key, struct json_object *value) {
        if (!value || json_object_object_add(object, key, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}

static struct json_object *answer(const char *name) {
        int r = initsync_feature(name);

        return r == -EPERM ? json_object_new_string("not permitted") : json_object_new_boolean(r > 0);
}

static int collect(struct json_object *object) {
        struct json_object *features = json_object_new_object();
        struct utsname kernel;
        const char *name;
        size_t i;
        int r;

        if (uname(&kernel) < 0)
                return -errno;
        r = add(object, "version", json_object_new_string(initsync_version()));
        if (r == 0)
                r = add(object, "kernel", json_object_new_string(kernel.release));
        if (r == 0)
                r = add(object, "features", features);
        for (i = 0; r == 0 && (name = initsync_feature_name(i)); i++)
                r = add(features, name, answer(name));
        return r;
}

int features_main(const struct options *options) {
        _cleanup_(value_freep) struct json_object *object = json_object_new_object();
        int r;

        (void)options;
        r = object ? collect(object) : -ENOMEM;
        if (r < 0) {
                struct initsync_error error;

                fault_call(&error, r, "features", NULL);
                say("%s", error.text);
                return 1;
        }
        printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}
