/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "node.h"
#include "say.h"

#define FILE_MAX (4U << 20)     /* real ones have some 20 kB */
#define DEPTH_MAX 32            /* the specification needs 8 */
#define WHITE " \t\r\n"

static void tokener_freep(struct json_tokener **tokener) {
        if (*tokener)
                json_tokener_free(*tokener);
}

static void value_freep(struct json_object **value) {
        json_object_put(*value);
}

static int read_file(const char *path, char **ret_text, size_t *ret_size, struct initsync_error *reterr) {
        _cleanup_free_ char *text = NULL;
        _cleanup_fd_ int fd = -1;
        struct stat st;
        size_t used = 0;
        ssize_t n;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);  /* a FIFO must not hold us up */
        if (fd < 0)
                return fault_call(reterr, -errno, "open", path);
        if (fstat(fd, &st) < 0)
                return fault_call(reterr, -errno, "fstat", path);
        if (!S_ISREG(st.st_mode))
                return fault(reterr, -EINVAL, "%s: not a regular file", path);
        text = malloc(FILE_MAX + 1);
        if (!text)
                return fault_call(reterr, -ENOMEM, "malloc", path);
        while (used <= FILE_MAX) {
                n = read(fd, text + used, FILE_MAX + 1 - used);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return fault_call(reterr, -errno, "read", path);
                if (n == 0)
                        break;
                used += (size_t)n;
        }
        if (used > FILE_MAX)
                return fault(reterr, -EFBIG, "%s: longer than %u bytes", path, FILE_MAX);
        *ret_text = take_ptr(text);
        *ret_size = used;
        return 0;
}

/*
 * What json-c lets pass in its strict mode. @ret_colons: how many stand outside of strings, one for each key. Returns what
 * is wrong at *@at, or NULL.
 */
static const char *scan(const char *text, size_t size, size_t *at, size_t *ret_colons) {
        int string = 0;

        *ret_colons = 0;
        for (*at = 0; *at < size; ++*at) {
                unsigned char c = (unsigned char)text[*at];

                if (string && c < 0x20)
                        return "a control character in a string";
                if (string && c == '\\') {
                        if (size - *at >= 6 && memcmp(text + *at, "\\u0000", 6) == 0)
                                return "NUL in a string";
                        ++*at;
                } else if (c == '"') {
                        string = !string;
                } else if (!string) {
                        if (c == '\0' || !strchr(WHITE "{}[],:+-.0123456789eEtrufalsn", c))
                                return "not JSON";
                        *ret_colons += c == ':';
                }
        }
        return NULL;
}

/* Whether an integer in @text is larger than 64 bits can hold. */
static bool has_too_large(const char *text, size_t size) {
        static const char most[] = "18446744073709551615";
        const size_t digits = sizeof(most) - 1;
        bool string = false;
        size_t at, n;

        for (at = 0; at < size; at++) {
                if (text[at] == '"')
                        string = !string;
                if (string && text[at] == '\\')
                        at++;
                if (string || text[at] < '0' || text[at] > '9')
                        continue;
                for (n = 1; at + n < size && text[at + n] >= '0' && text[at + n] <= '9'; n++)
                        ;
                if (n > digits || (n == digits && memcmp(text + at, most, digits) > 0))
                        return true;
                at += n - 1;
        }
        return false;
}

static size_t count_keys(struct json_object *value) {
        size_t n = 0, i;

        if (json_object_is_type(value, json_type_array)) {
                for (i = 0; i < json_object_array_length(value); i++)
                        n += count_keys(json_object_array_get_idx(value, i));
        } else if (json_object_is_type(value, json_type_object)) {
                json_object_object_foreach(value, key, member) {
                        (void)key;
                        n += 1 + count_keys(member);
                }
        }
        return n;
}

static size_t line_of(const char *text, size_t at) {
        size_t line = 1, i;

        for (i = 0; i < at; i++)
                line += text[i] == '\n';
        return line;
}

static int parse(const char *path, const char *text, size_t size, struct json_object **ret_value,
                 struct initsync_error *reterr) {
        _cleanup_(tokener_freep) struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
        _cleanup_(value_freep) struct json_object *value = NULL;
        size_t at, colons, end;
        const char *wrong;

        if (!tokener)
                return fault_call(reterr, -ENOMEM, "json_tokener_new_ex", path);
        wrong = scan(text, size, &at, &colons);
        if (wrong)
                return fault(reterr, -EINVAL, "%s:%zu: %s", path, line_of(text, at), wrong);
        /* White space at the end would count as bytes behind the object. */
        while (size > 0 && strchr(WHITE, text[size - 1]))
                size--;
        for (at = 0; at < size && strchr(WHITE, text[at]); at++)
                ;
        if (at == size || text[at] != '{')
                return fault(reterr, -EINVAL, "%s: expected an object", path);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        value = json_tokener_parse_ex(tokener, text, (int)size);
        end = json_tokener_get_parse_end(tokener);
        if (json_tokener_get_error(tokener) == json_tokener_continue)
                return fault(reterr, -EINVAL, "%s: ends too early", path);
        if (json_tokener_get_error(tokener) != json_tokener_success)
                return fault(reterr, -EINVAL, "%s:%zu: %s", path, line_of(text, end),
                             json_tokener_error_desc(json_tokener_get_error(tokener)));
        if (end != size)
                return fault(reterr, -EINVAL, "%s:%zu: something follows the object", path, line_of(text, end));
        if (count_keys(value) != colons)
                return fault(reterr, -EINVAL, "%s: an object has the same key twice", path);
        /* For node_u64(): which one it is, is seen there. */
        if (has_too_large(text, size))
                json_object_set_userdata(value, value, NULL);
        *ret_value = take_ptr(value);
        return 0;
}

int node_load(const char *path, struct json_object **ret_value, struct initsync_error *reterr) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = read_file(path, &text, &size, reterr);
        return r < 0 ? r : parse(path, text, size, ret_value, reterr);
}
