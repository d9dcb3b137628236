/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "wire/encode.h"

static const struct initsync_idmap whole = { 0, 100000, 65536 };

static const struct {
        enum message_type type;
        const char *text;
        size_t n;
} plain[] = {
        { MESSAGE_MOUNT_FD, "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}", 59 },
        { MESSAGE_HOOKS, "{\"type\":\"procHooks\",\"flags\":0}", 30 },
        { MESSAGE_HOOKS_DONE, "{\"type\":\"procHooksDone\",\"flags\":0}", 34 },
        { MESSAGE_READY, "{\"type\":\"procReady\",\"flags\":0}", 30 },
        { MESSAGE_RUN, "{\"type\":\"procRun\",\"flags\":0}", 28 },
        { MESSAGE_SECCOMP_DONE, "{\"type\":\"procSeccompDone\",\"flags\":0}", 36 },
};

static void test_plain(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(plain); i++) {
                struct bytes bytes = encode_plain(plain[i].type);

                assert_int_equal(bytes.n, plain[i].n);
                assert_int_equal(strlen(plain[i].text), plain[i].n);
                assert_memory_equal(bytes.data, plain[i].text, bytes.n);
        }
}

static void test_seccomp(void **state) {
        char text[64];

        (void)state;
        assert_int_equal(encode_seccomp(7, 0, text, sizeof(text)), 40);
        assert_string_equal(text, "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":7}");
        assert_int_equal(encode_seccomp(INT32_MAX, 1, text, sizeof(text)), 49);
        assert_string_equal(text, "{\"type\":\"procSeccomp\",\"flags\":1,\"arg\":2147483647}");
}

/* Encodes, compares, and reads it again, which must give the same mount. */
static void expect(const struct initsync_mount *mount, const char *text) {
        struct message_mount *read = malloc(sizeof(*read));
        struct message message;
        struct initsync_error error;
        char *packet = NULL;
        int n = encode_mount(mount, &packet);

        assert_true(n > 0);
        assert_int_equal(strlen(packet), n);
        if (text)
                assert_string_equal(packet, text);
        if (message_read(packet, (size_t)n, read, &message, &error) < 0)
                fail_msg("%s", error.text);
        assert_string_equal(read->source, mount->source);
        assert_string_equal(read->destination, mount->destination ? mount->destination : "");
        assert_string_equal(read->device, "bind");
        assert_string_equal(read->userns_path, mount->userns_path ? mount->userns_path : "");
        assert_true(read->flags == (mount->flags & INITSYNC_MOUNT_RECURSIVE ? 20480 : 4096));
        assert_int_equal(read->idmap_recursive, mount->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE ? 1 : 0);
        assert_int_equal(read->has_id_mapping, mount->n_uids || mount->userns_path);
        assert_int_equal(read->n_uids, mount->n_uids);
        assert_int_equal(read->n_gids, mount->n_gids);
        if (mount->n_uids) {
                assert_memory_equal(read->uids, mount->uids, mount->n_uids * sizeof(*mount->uids));
                assert_memory_equal(read->gids, mount->gids, mount->n_gids * sizeof(*mount->gids));
        }
        free(packet);
        free(read);
}

#define START "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":\""
#define MAP "[{\"container_id\":0,\"host_id\":100000,\"size\":65536}]"

/* What runc 1.4 and later writes for the same mounts. */
static void test_mount(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        const struct initsync_idmap two[] = { { 5, 200000, 10 }, { 1000, 300000, 1 } };

        (void)state;
        mount.source = "/srv/private/data";
        mount.destination = "/mnt/data";
        expect(&mount, START "/srv/private/data\",\"destination\":\"/mnt/data\",\"device\":\"bind\",\"flags\":4096}}");
        mount.uids = mount.gids = &whole;
        mount.n_uids = mount.n_gids = 1;
        expect(&mount,
               START "/srv/private/data\",\"destination\":\"/mnt/data\",\"device\":\"bind\",\"flags\":4096,\"id_mapping\":{"
                     "\"uid_mappings\":" MAP ",\"gid_mappings\":" MAP "}}}");
        mount.gids = two;
        mount.n_gids = 2;
        mount.flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE | INITSYNC_MOUNT_ATTR_RECURSIVE;
        mount.attr_set = 1;             /* set by the child itself, on what arrives */
        expect(&mount,
               START "/srv/private/data\",\"destination\":\"/mnt/data\",\"device\":\"bind\",\"flags\":20480,\"id_mapping\":{"
                     "\"recursive\":true,\"uid_mappings\":" MAP ",\"gid_mappings\":[{\"container_id\":5,\"host_id\":200000,"
                     "\"size\":10},{\"container_id\":1000,\"host_id\":300000,\"size\":1}]}}}");
        mount = (struct initsync_mount)INITSYNC_MOUNT_INIT;
        mount.source = "/s";
        mount.userns_path = "/proc/7/ns/user";
        expect(&mount, START "/s\",\"destination\":\"\",\"device\":\"bind\",\"flags\":4096,\"id_mapping\":{\"userns_path\":"
                       "\"/proc/7/ns/user\"}}}");
}

static void test_escapes(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        char path[256];
        int c;

        (void)state;
        mount.source = "/a\"b\\c\x01\x1f\x7f\xc3\xa4\xf0\x9f\x90\xa7";
        expect(&mount,
               START "/a\\\"b\\\\c\\u0001\\u001f\x7f\xc3\xa4\xf0\x9f\x90\xa7\",\"destination\":\"\",\"device\":\"bind\","
                     "\"flags\":4096}}");
        path[0] = '/';
        for (c = 1; c < 0x80; c++)
                path[c] = (char)c;
        path[0x80] = '\0';
        mount.source = mount.destination = path;
        expect(&mount, NULL);
}

static void test_not_utf8(void **state) {
        static const char *const bad[] = {
                "/\xff", "/\xc0\xaf", "/\xed\xa0\x80", "/\xf4\x90\x80\x80", "/a\xc3", "/\xe2\x82"
        };
        size_t i, field;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(bad); i++) {
                for (field = 0; field < 3; field++) {
                        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
                        char poison, *packet = &poison;

                        mount.source = field == 0 ? bad[i] : "/s";
                        mount.destination = field == 1 ? bad[i] : "/d";
                        mount.userns_path = field == 2 ? bad[i] : NULL;
                        assert_int_equal(encode_mount(&mount, &packet), -EILSEQ);
                        assert_ptr_equal(packet, &poison);
                }
        }
}

/* The longest honest request: three paths of bytes that need six each, and 680 extents, as many digits as a map takes. */
static void test_largest(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX];
        char *controls = bytes_repeat("\x01", LIMIT_PATH - 1), *path = bytes_format("/%s", controls);
        char *packet, poison;
        size_t i;
        int n;

        (void)state;
        for (i = 0; i < INITSYNC_IDMAP_MAX; i++)
                extents[i] = (struct initsync_idmap){ 1000 + (uint32_t)i, 2000 + (uint32_t)i, 1 };
        mount.source = mount.destination = mount.userns_path = path;
        mount.uids = mount.gids = extents;
        mount.n_uids = mount.n_gids = INITSYNC_IDMAP_MAX;
        mount.flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
        n = encode_mount(&mount, &packet);
        assert_in_range(n, 3 * 6 * (LIMIT_PATH - 1), LIMIT_REQUEST);
        free(packet);
        expect(&mount, NULL);
        /* And were it larger, it would not be sent. */
        free(path);
        free(controls);
        controls = bytes_repeat("\x01", LIMIT_REQUEST / 6);
        path = bytes_format("/%s", controls);
        mount.source = path;
        mount.destination = mount.userns_path = NULL;
        packet = &poison;
        assert_int_equal(encode_mount(&mount, &packet), -EMSGSIZE);
        assert_ptr_equal(packet, &poison);
        free(path);
        free(controls);
}

/* Extents of ten digits each: the most that a packet could hold of them, had the map file no limit. */
static void test_widest_numbers(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX];
        char *controls = bytes_repeat("\x01", LIMIT_PATH - 1), *path = bytes_format("/%s", controls), *packet;
        size_t i;
        int n;

        (void)state;
        for (i = 0; i < INITSYNC_IDMAP_MAX; i++)
                extents[i] = (struct initsync_idmap){ 4294967294u, 4294967294u, 4294967294u };
        mount.source = mount.destination = mount.userns_path = path;
        mount.uids = mount.gids = extents;
        mount.n_uids = mount.n_gids = INITSYNC_IDMAP_MAX;
        n = encode_mount(&mount, &packet);
        assert_in_range(n, 100000, LIMIT_REQUEST);
        free(packet);
        free(path);
        free(controls);
}

static void error_is(const struct initsync_error *error, const char *text, size_t length) {
        struct message message;
        char packet[LIMIT_ANSWER + 1];
        size_t n = encode_error(error, packet);

        assert_in_range(n, 1, LIMIT_ANSWER);
        packet[n] = '\0';
        assert_int_equal(strlen(packet), n);
        if (text)
                assert_string_equal(packet, text);
        assert_int_equal(message_read(packet, n, NULL, &message, NULL), 0);
        assert_int_equal(message.type, MESSAGE_ERROR);
        assert_int_equal(message.text.length, length);
}

static void test_error(void **state) {
        struct initsync_error error = { .code = -2, .step = -1, .mount = -1 };

        (void)state;
        error_is(&error, "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"code\":-2}}", 0);
        strcpy(error.text, "openat2 /x: No such file or directory");
        strcpy(error.path, "/x");
        error.step = INITSYNC_STEP_MOUNTS;
        error.mount = 3;
        error_is(&error,
                 "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"openat2 /x: No such file or "
                 "directory\",\"code\":-2,"
                 "\"step\":\"mounts\",\"path\":\"/x\",\"mount\":3}}",
                 37);
        error.step = 99;
        error_is(&error, NULL, 37);
}

/* A caller's own error: no terminator, no UTF-8, nothing but what needs escapes. The packet fits and is JSON. */
static void test_error_fits(void **state) {
        static const char fills[] = { 'x', '"', '\\', '\n', '\x01', '\x7f', '\xff', '\x80', '/' };
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(fills); i++) {
                struct initsync_error error;
                struct message message;
                char packet[LIMIT_ANSWER];
                size_t n;

                memset(&error, fills[i], sizeof(error));
                error.code = INT32_MIN;
                error.step = 8;
                error.mount = INT32_MAX;
                n = encode_error(&error, packet);
                assert_in_range(n, 600, LIMIT_ANSWER);
                assert_int_equal(message_read(packet, n, NULL, &message, NULL), 0);
                assert_in_range(message.text.length, sizeof(error.text) - 8, sizeof(error.text));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_seccomp),
                cmocka_unit_test(test_mount),
                cmocka_unit_test(test_escapes),
                cmocka_unit_test(test_not_utf8),
                cmocka_unit_test(test_largest),
                cmocka_unit_test(test_widest_numbers),
                cmocka_unit_test(test_error),
                cmocka_unit_test(test_error_fits),
        };

        return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
