/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "node.h"
#include "say.h"

static const char *type_words(enum json_type type) {
        switch (type) {
        case json_type_boolean: return "true or false";
        case json_type_int: return "an integer";
        case json_type_object: return "an object";
        case json_type_array: return "an array";
        case json_type_string: return "a string";
        default: return "a value";
        }
}

/* "mounts[3].options[1]"; cut at its end when it does not fit. */
static size_t path_of(const struct node *node, char *to, size_t size) {
        size_t used;
        int n;

        if (!node->up) {
                to[0] = '\0';
                return 0;
        }
        used = path_of(node->up, to, size);
        if (node->key)
                n = snprintf(to + used, size - used, "%s%s", used ? "." : "", node->key);
        else
                n = snprintf(to + used, size - used, "[%zu]", node->index);
        return n < 0 ? used : (size_t)n < size - used ? used + (size_t)n : size - 1;
}

int node_refuse(const struct node *node, struct initsync_error *reterr, int code, const char *format, ...) {
        char path[200], text[400];
        va_list args;

        path_of(node, path, sizeof(path));
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        return fault(reterr, code, "config.json: %s%s%s", path, path[0] ? ": " : "", text);
}

static int wrong_type(const struct node *node, enum json_type type, struct initsync_error *reterr) {
        return node_refuse(node, reterr, -EINVAL, "expected %s, not %s", type_words(type),
                           json_object_is_type(node->value, json_type_null) ? "null" :
                           json_object_is_type(node->value, json_type_double) ? "a fraction" :
                           type_words(json_object_get_type(node->value)));
}

int node_member(const struct node *object, const char *key, enum json_type type, struct node *ret,
                struct initsync_error *reterr) {
        *ret = (struct node){ .up = object, .key = key };
        /* null stands for "not there", as in every program that writes and reads these files with Go. */
        if (!json_object_object_get_ex(object->value, key, &ret->value) || !ret->value)
                return 0;
        if (!json_object_is_type(ret->value, type))
                return wrong_type(ret, type, reterr);
        return 1;
}

int node_required(const struct node *object, const char *key, enum json_type type, struct node *ret,
                  struct initsync_error *reterr) {
        int r = node_member(object, key, type, ret, reterr);

        if (r == 0)
                return node_refuse(ret, reterr, -EINVAL, "is missing, expected %s", type_words(type));
        return r < 0 ? r : 0;
}

int node_element(const struct node *array, size_t i, enum json_type type, struct node *ret, struct initsync_error *reterr) {
        *ret = (struct node){ .up = array, .index = i, .value = json_object_array_get_idx(array->value, i) };
        return json_object_is_type(ret->value, type) ? 0 : wrong_type(ret, type, reterr);
}

size_t node_length(const struct node *array) {
        return json_object_array_length(array->value);
}

const char *node_string(const struct node *node) {
        return json_object_get_string(node->value);
}

int node_strings(const struct node *array, char ***ret_strings, struct initsync_error *reterr) {
        size_t n = node_length(array), i;
        char **strings = calloc(n + 1, sizeof(*strings));
        struct node element;
        int r;

        if (!strings)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++) {
                r = node_element(array, i, json_type_string, &element, reterr);
                if (r < 0) {
                        free(strings);
                        return r;
                }
                /* execve() wants pointers to char, and does not write there. */
                strings[i] = (char *)(uintptr_t)node_string(&element);
        }
        *ret_strings = strings;
        return 0;
}

int node_u32(const struct node *object, const char *key, uint32_t *ret, struct initsync_error *reterr) {
        struct node node;
        int64_t number;
        int r;

        r = node_required(object, key, json_type_int, &node, reterr);
        if (r < 0)
                return r;
        number = json_object_get_int64(node.value);     /* too large ones saturate, and so remain too large */
        if (number < 0 || number > UINT32_MAX)
                return node_refuse(&node, reterr, -ERANGE, "expected 0 to 4294967295");
        *ret = (uint32_t)number;
        return 0;
}

/* json-c takes an integer that is too large for the largest one; node_load() has left a mark if there is any. */
static bool saturated(const struct node *node) {
        if (json_object_get_uint64(node->value) != UINT64_MAX)
                return false;
        while (node->up)
                node = node->up;
        return json_object_get_userdata(node->value) != NULL;
}

int node_u64(const struct node *object, const char *key, bool required, uint64_t *ret, struct initsync_error *reterr) {
        struct node node;
        int r;

        r = node_member(object, key, json_type_int, &node, reterr);
        if (r == 0 && required)
                return node_required(object, key, json_type_int, &node, reterr);
        *ret = 0;
        if (r <= 0)
                return r;
        /* As an unsigned one, a negative number is 0. */
        if (json_object_get_int64(node.value) < 0 || saturated(&node))
                return node_refuse(&node, reterr, -ERANGE, "expected 0 to 18446744073709551615");
        *ret = json_object_get_uint64(node.value);
        return 0;
}
