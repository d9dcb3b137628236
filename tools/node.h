/* SPDX-License-Identifier: MIT */
#ifndef NODE_H
#define NODE_H

/*
 * A value of config.json that knows where it stands, so that every complaint names it: "config.json: mounts[3].options[1]".
 * Nodes live on the stack; each points to the one that it is part of. Types are exact: nothing is converted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <initsync.h>
#include <json-c/json.h>

struct node {
        const struct node *up;          /* NULL: the whole file */
        const char *key;                /* NULL: element @index of an array */
        size_t index;
        struct json_object *value;
};

/*
 * node_load() - read and parse the file @path, which must hold one JSON object and nothing else
 *
 * Stricter than json-c, which lets single quotes, NaN, raw control characters, NUL and repeated keys pass.
 */
int node_load(const char *path, struct json_object **ret_value, struct initsync_error *reterr);

/* node_member() - 1 and the member @key; 0 without it, or with null; -EINVAL when it has another type */
int node_member(const struct node *object, const char *key, enum json_type type, struct node *ret,
                struct initsync_error *reterr);

/* node_required() - 0, or -EINVAL also without the member */
int node_required(const struct node *object, const char *key, enum json_type type, struct node *ret,
                  struct initsync_error *reterr);

/* node_element() - 0, or -EINVAL when it has another type */
int node_element(const struct node *array, size_t i, enum json_type type, struct node *ret, struct initsync_error *reterr);

/* node_length() - elements of an array */
size_t node_length(const struct node *array);

/* node_string() - of a node whose type is known to be string; lives as long as the document */
const char *node_string(const struct node *node);

/* node_strings() - a NULL-terminated array of the strings in @array, each as node_string() */
int node_strings(const struct node *array, char ***ret_strings, struct initsync_error *reterr);

/* node_u32() - the member @key, which must be there, an integer of 0 to 4294967295 */
int node_u32(const struct node *object, const char *key, uint32_t *ret, struct initsync_error *reterr);

/* node_u64() - the member @key, an integer of 0 to 18446744073709551615; 0 where it is not @required and not there */
int node_u64(const struct node *object, const char *key, bool required, uint64_t *ret, struct initsync_error *reterr);

/* node_refuse() - fill @reterr with "config.json: PATH: " and a sentence, return @code */
int node_refuse(const struct node *node, struct initsync_error *reterr, int code, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

#endif /* NODE_H */
