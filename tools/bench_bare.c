/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/socket.h>
#include "bench_bare.h"
#include "bench_kernel.h"

#define ANSWER "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}"
#define PRINT_FLAGS (JSON_C_TO_STRING_NOSLASHESCAPE | JSON_C_TO_STRING_PLAIN)
#define TEXT_MAX 1024

static struct json_object *map_object(const struct initsync_idmap *extents, size_t n) {
        struct json_object *list = json_object_new_array();
        size_t i;

        for (i = 0; i < n; i++) {
                struct json_object *one = json_object_new_object();

                json_object_object_add(one, "container_id", json_object_new_int64(extents[i].inside));
                json_object_object_add(one, "host_id", json_object_new_int64(extents[i].outside));
                json_object_object_add(one, "size", json_object_new_int64(extents[i].count));
                json_object_array_add(list, one);
        }
        return list;
}

static struct json_object *start(const char *type, int flags, struct json_object **ret_arg) {
        struct json_object *root = json_object_new_object();

        *ret_arg = json_object_new_object();
        json_object_object_add(root, "type", json_object_new_string(type));
        json_object_object_add(root, "flags", json_object_new_int(flags));
        json_object_object_add(root, "arg", *ret_arg);
        return root;
}

static size_t print(struct json_object *root, char to[static TEXT_MAX]) {
        size_t n = 0;
        const char *text = json_object_to_json_string_length(root, PRINT_FLAGS, &n);

        if (n > TEXT_MAX)
                n = TEXT_MAX;
        memcpy(to, text, n);
        json_object_put(root);
        return n;
}

static size_t print_request(const struct initsync_mount *mount, char to[static TEXT_MAX]) {
        struct json_object *arg, *map, *root = start("procMountPlease", 0, &arg);

        json_object_object_add(arg, "source", json_object_new_string(mount->source));
        json_object_object_add(arg, "destination", json_object_new_string(mount->destination));
        json_object_object_add(arg, "device", json_object_new_string("bind"));
        json_object_object_add(arg, "flags", json_object_new_int(MS_BIND));
        if (mount->n_uids) {
                map = json_object_new_object();
                json_object_object_add(arg, "id_mapping", map);
                json_object_object_add(map, "uid_mappings", map_object(mount->uids, mount->n_uids));
                json_object_object_add(map, "gid_mappings", map_object(mount->gids, mount->n_gids));
        }
        return print(root, to);
}

static size_t print_answer(char to[static TEXT_MAX]) {
        struct json_object *arg, *root = start("procMountFd", 1, &arg);

        json_object_object_add(arg, "type", json_object_new_string("open_tree"));
        return print(root, to);
}

/* The string at .arg.@key, copied. */
static int parse(const char *text, size_t n, const char *key, char to[static TEXT_MAX]) {
        struct json_tokener *tokener = json_tokener_new();
        struct json_object *root = NULL, *arg, *value;
        int r = -EPROTO;

        if (tokener) {
                json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
                root = json_tokener_parse_ex(tokener, text, (int)n);
        }
        if (root && json_object_object_get_ex(root, "arg", &arg) && json_object_object_get_ex(arg, key, &value)) {
                strncpy(to, json_object_get_string(value), TEXT_MAX - 1);
                to[TEXT_MAX - 1] = '\0';
                r = 0;
        }
        json_object_put(root);
        json_tokener_free(tokener);
        return r;
}

int bare_json(const struct initsync_mount *mount, enum bare_json part) {
        char text[TEXT_MAX], to[TEXT_MAX];

        switch (part) {
        case BARE_PRINT_REQUEST:
                return print_request(mount, text) ? 0 : -EPROTO;
        case BARE_PARSE_REQUEST:
                return parse(text, print_request(mount, text), "source", to);
        case BARE_PRINT_ANSWER:
                return print_answer(text) ? 0 : -EPROTO;
        default:
                return parse(ANSWER, sizeof(ANSWER) - 1, "type", to);
        }
}

int bare_send(int socket, const char *text) {
        return send(socket, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int bare_expect(int socket, char *to, size_t size) {
        ssize_t n = recv(socket, to, size, 0);

        return n < 0 ? -errno : (int)n;
}

int bare_ask(const struct bare *bare) {
        static char text[TEXT_MAX];
        static size_t n;

        if (bare->json || !n)
                n = print_request(bare->mount, text);
        return send(bare->socket, text, n, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int bare_receive(const struct bare *bare) {
        char text[TEXT_MAX], kind[TEXT_MAX];
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        struct iovec part = { text, sizeof(text) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
        int n = bare_expect(bare->socket, text, sizeof(text)), fd;

        if (n <= 0)
                return n < 0 ? n : -ECONNRESET;
        if (bare->json && parse(text, (size_t)n, "type", kind) < 0)
                return -EPROTO;
        if (recvmsg(bare->socket, &message, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&message))
                return -EPROTO;
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
        return fd;
}

/* Both packets by one call. */
static int answer(const struct bare *bare, const char *name, int tree) {
        char text[TEXT_MAX] = ANSWER;
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec parts[2] = { { text, bare->json ? print_answer(text) : sizeof(ANSWER) - 1 }, { (void *)name, strlen(name) } };
        struct mmsghdr messages[2] = {
                { .msg_hdr = { .msg_iov = &parts[0], .msg_iovlen = 1 } },
                { .msg_hdr = { .msg_iov = &parts[1], .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) } },
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&messages[1].msg_hdr);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &tree, sizeof(tree));
        return sendmmsg(bare->socket, messages, 2, MSG_NOSIGNAL) == 2 ? 1 : -errno;
}

int bare_serve(const struct bare *bare) {
        char text[TEXT_MAX], source[TEXT_MAX];
        int n = bare_expect(bare->socket, text, sizeof(text)), tree, r;

        if (n <= 0)
                return n;
        strcpy(source, bare->mount->source);
        if (bare->json && parse(text, (size_t)n, "source", source) < 0)
                return -EPROTO;
        tree = kernel_open_mapped(source, bare->userns_fd);
        if (tree < 0)
                return tree;
        r = answer(bare, source, tree);
        close(tree);
        return r;
}
