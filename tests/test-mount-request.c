/* SPDX-License-Identifier: MIT */
/* The argument of procMountPlease: what a child may write, and what each key is refused for. */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "wire/message.h"

#define MAP "[{\"container_id\":0,\"host_id\":100000,\"size\":65536}]"
#define MAPS "\"uid_mappings\":" MAP ",\"gid_mappings\":" MAP
#define PATHS "\"source\":\"/s\",\"destination\":\"/d\",\"device\":\"bind\""
#define PACKET(arg) "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{" arg "}}"
#define LATE(arg) "{\"arg\":{" arg "},\"type\":\"procMountPlease\",\"flags\":0}"

static struct message_mount mount;
static struct message message;
static struct initsync_error error;
static char *packet;            /* what @mount points into */

static int read_text(const char *text) {
        size_t n = strlen(text);
        int r;

        free(packet);
        packet = bytes_exact(text, n);
        memset(&mount, 0xab, sizeof(mount));
        memset(&error, 0xab, sizeof(error));
        r = message_read(packet, n, &mount, &message, &error);
        assert_true(r == 0 || r == -EPROTO);
        if (r == 0)
                assert_true(message.type == MESSAGE_MOUNT_PLEASE && message.mount == &mount);
        return r;
}

/* Both orders of the envelope, and both ways of an error text. */
static void expect(const char *arg, const char *expected) {
        char *texts[] = { bytes_format(PACKET("%s"), arg), bytes_format(LATE("%s"), arg) };
        size_t i;

        for (i = 0; i < ARRAY_SIZE(texts); i++) {
                int r = read_text(texts[i]);

                if (!r != !expected)
                        fail_msg("%s gives %d %s", texts[i], r, r ? error.text : "");
                /* An argument that came first was passed over when the type was not known: what is no JSON was seen then. */
                if (r && i == 1 && strstr(error.text, "message: arg: expected a number without leading zeros"))
                        r = 0;
                if (r) {
                        bytes_contain(error.text, expected);
                        bytes_contain(error.text, "procMountPlease: ");
                        bytes_contain(error.text, "expected ");
                }
                free(texts[i]);
        }
}

static void test_both_generations(void **state) {
        static const char *const texts[] = {
                PACKET("\"source\":\"/srv/data\",\"destination\":\"/mnt/data\",\"device\":\"bind\","
                       "\"flags\":20483,\"cleared_flags\":0,"
                       "\"propagation_flags\":[278528],\"data\":\"\",\"relabel\":\"\",\"rec_attr\":{\"Attr_set\":1,"
                       "\"Attr_clr\":0,"
                       "\"Propagation\":0,\"Userns_fd\":0},\"extensions\":0,\"id_mapping\":{\"recursive\":true," MAPS "}"),
                PACKET("\"source\":\"/srv/data\",\"destination\":\"/mnt/data\",\"device\":\"bind\",\"flags\":20483,"
                       "\"propagation_flags\":[278528],\"rec_attr\":{\"Attr_set\":1,\"Attr_clr\":0,\"Propagation\":0,"
                       "\"Userns_fd\":0},\"id_mapping\":{\"recursive\":true," MAPS "}"),
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(texts); i++) {
                assert_int_equal(read_text(texts[i]), 0);
                assert_string_equal(mount.source, "/srv/data");
                assert_string_equal(mount.destination, "/mnt/data");
                assert_string_equal(mount.device, "bind");
                assert_string_equal(mount.data, "");
                assert_string_equal(mount.userns_path, "");
                assert_true(mount.flags == 20483 && mount.cleared_flags == 0 && mount.extensions == 0);
                assert_true(mount.n_propagation_flags == 1 && mount.propagation_flags[0] == 278528);
                assert_true(mount.has_rec_attr && mount.rec_attr.attr_set == 1 && mount.rec_attr.attr_clr == 0);
                assert_true(mount.has_id_mapping && mount.idmap_recursive && mount.n_uids == 1 && mount.n_gids == 1);
                assert_true(mount.uids[0].inside == 0 && mount.uids[0].outside == 100000 && mount.uids[0].count == 65536);
                assert_true(mount.gids[0].inside == 0 && mount.gids[0].outside == 100000 && mount.gids[0].count == 65536);
        }
        assert_int_equal(read_text(PACKET(PATHS
                                          ",\"flags\":4096,\"cleared_flags\":0,\"propagation_flags\":null,\"data\":\"\","
                                          "\"relabel\":\"\",\"rec_attr\":null,\"extensions\":0,\"id_mapping\":null")),
                         0);
        assert_true(mount.flags == MESSAGE_MS_BIND && !mount.has_rec_attr && !mount.has_id_mapping &&
                    !mount.n_propagation_flags);
        assert_int_equal(read_text(PACKET(PATHS)), 0);
        assert_true(mount.flags == 0 && !mount.has_rec_attr && !mount.has_id_mapping && !mount.n_uids && !mount.n_gids);
}

/* A value of each kind of JSON; a key takes those whose letter stands in its row. */
static const struct {
        char letter;
        const char *text;
} kinds[] = {
        { 'n', "null" }, { 'p', "\"/p\"" }, { 's', "\"rel\"" }, { 'e', "\"\"" }, { 'i', "0" }, { 'I', "7" }, { 'm', "-1" },
        { 'M', "-0" }, { 'f', "1.0" }, { 'x', "1e3" }, { 'b', "true" }, { 'B', "false" }, { 'l', "[]" }, { 'o', "{}" },
        { 'q', "\"12\"" }, { 'z', "01" }, { 'w', "9223372036854775807" }, { 'W', "9223372036854775808" },
        { 'v', "18446744073709551615" }, { 'V', "18446744073709551616" }, { '0', "\"/a\\u0000b\"" }, { 'L', "[1,2]" },
        { 'N', "[-1]" }, { 'S', "[\"1\"]" },
};

static const struct {
        const char *key, *before, *after, *takes, *name;
} keys[] = {
        { "source", "\"destination\":\"/d\",\"device\":\"bind\",", "", "p", "arg.source: " },
        { "destination", "\"source\":\"/s\",\"device\":\"bind\",", "", "pseq", "arg.destination: " },
        { "device", "\"source\":\"/s\",\"destination\":\"/d\",", "", "pseq", "arg.device: " },
        { "flags", PATHS ",", "", "niIw", "arg.flags: " },
        { "cleared_flags", PATHS ",", "", "niIw", "arg.cleared_flags: " },
        { "extensions", PATHS ",", "", "niIw", "arg.extensions: " },
        { "propagation_flags", PATHS ",", "", "nlL", "arg.propagation_flags: " },
        { "data", PATHS ",", "", "npseq", "arg.data: " },
        { "rec_attr", PATHS ",", "", "n", "arg.rec_attr" },
        { "id_mapping", PATHS ",", "", "n", "arg.id_mapping" },
        { "Attr_set", PATHS ",\"rec_attr\":{\"Attr_clr\":0,\"Propagation\":0,\"Userns_fd\":0,", "}", "iIwWv",
          "arg.rec_attr.Attr_set: " },
        { "Attr_clr", PATHS ",\"rec_attr\":{\"Attr_set\":0,\"Propagation\":0,\"Userns_fd\":0,", "}", "iIwWv",
          "arg.rec_attr.Attr_clr: " },
        { "Propagation", PATHS ",\"rec_attr\":{\"Attr_set\":0,\"Attr_clr\":0,\"Userns_fd\":0,", "}", "iIwWv",
          "arg.rec_attr.Propagation: " },
        { "Userns_fd", PATHS ",\"rec_attr\":{\"Attr_set\":0,\"Attr_clr\":0,\"Propagation\":0,", "}", "iIwWv",
          "arg.rec_attr.Userns_fd: " },
        { "recursive", PATHS ",\"id_mapping\":{" MAPS ",", "}", "nbB", "arg.id_mapping.recursive: " },
        { "userns_path", PATHS ",\"id_mapping\":{" MAPS ",", "}", "npseq", "arg.id_mapping.userns_path: " },
        { "uid_mappings", PATHS ",\"id_mapping\":{\"userns_path\":\"/u\",", "}", "nl", "arg.id_mapping.uid_mappings" },
        { "gid_mappings", PATHS ",\"id_mapping\":{\"userns_path\":\"/u\",", "}", "nl", "arg.id_mapping.gid_mappings" },
        { "container_id", PATHS ",\"id_mapping\":{\"uid_mappings\":" MAP ",\"gid_mappings\":[{\"host_id\":0,\"size\":1,",
          "}]}", "iI", "arg.id_mapping.gid_mappings.container_id: " },
        { "host_id", PATHS ",\"id_mapping\":{\"gid_mappings\":" MAP ",\"uid_mappings\":[{\"container_id\":0,\"size\":1,",
          "}]}", "iI", "arg.id_mapping.uid_mappings.host_id: " },
        { "size", PATHS ",\"id_mapping\":{\"gid_mappings\":" MAP ",\"uid_mappings\":[{\"container_id\":0,\"host_id\":1,",
          "}]}", "I", "arg.id_mapping.uid_mappings" },
};

static void test_every_key_with_every_kind(void **state) {
        size_t i, k;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(keys); i++) {
                for (k = 0; k < ARRAY_SIZE(kinds); k++) {
                        char *arg = bytes_format("%s\"%s\":%s%s", keys[i].before, keys[i].key, kinds[k].text, keys[i].after);

                        expect(arg, strchr(keys[i].takes, kinds[k].letter) ? NULL : keys[i].name);
                        free(arg);
                }
        }
}

static void test_every_key_absent_and_twice(void **state) {
        size_t i, k;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(keys); i++) {
                size_t n = strlen(keys[i].before);
                const char *good = "null";
                char *arg;

                for (k = 0; k < ARRAY_SIZE(kinds); k++)
                        if (kinds[k].letter == keys[i].takes[0])
                                good = kinds[k].text;
                arg = bytes_format("%.*s%s", (int)n - 1, keys[i].before, keys[i].after);        /* without the comma */
                expect(arg, strchr("nN", keys[i].takes[0]) ? NULL : "expected the key to be there");
                free(arg);
                arg = bytes_format("%s\"%s\":%s,\"%s\":%s%s", keys[i].before, keys[i].key, good, keys[i].key, good,
                                   keys[i].after);
                expect(arg, "expected the key once");
                free(arg);
                arg = bytes_format("%s\"%s\":%s,\"\\u00%02x%s\":%s%s", keys[i].before, keys[i].key, good, keys[i].key[0],
                                   keys[i].key + 1, good, keys[i].after);
                expect(arg, "expected the key once");
                free(arg);
        }
}

static void test_any_order(void **state) {
        static const char *const members[] = { "\"source\":\"/s\"", "\"destination\":\"/d\"", "\"device\":\"bind\"",
                                               "\"flags\":4096", "\"unknown\":[{\"source\":\"/x\"}]" };
        int order;

        (void)state;
        for (order = 0; order < 120; order++) {
                const char *rest[] = { members[0], members[1], members[2], members[3], members[4] };
                char text[256] = "";
                int left = order, n;

                for (n = 5; n; n--) {
                        int k = left % n;

                        strcat(strcat(text, text[0] ? "," : ""), rest[k]);
                        rest[k] = rest[n - 1];
                        left /= n;
                }
                expect(text, NULL);
                assert_string_equal(mount.source, "/s");
                assert_string_equal(mount.destination, "/d");
                assert_string_equal(mount.device, "bind");
                assert_true(mount.flags == 4096);
        }
}

static void test_paths(void **state) {
        static const struct {
                const char *key;
                size_t most;
        } limits[] = { { "source", LIMIT_PATH },
                       { "destination", LIMIT_PATH },
                       { "device", LIMIT_PATH },
                       { "userns_path", LIMIT_PATH } };
        size_t i, n;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(limits); i++) {
                for (n = limits[i].most - 1; n <= limits[i].most + 1; n++) {
                        char *path = bytes_repeat("x", n - 1), *arg;

                        arg = bytes_format("%s\"%s\":\"/%s\"%s", i == 3 ? PATHS ",\"id_mapping\":{" : keys[i].before,
                                           limits[i].key, path, i == 3 ? "}" : "");
                        expect(arg, n <= limits[i].most ? NULL : "expected a shorter string");
                        free(arg);
                        free(path);
                }
        }
        expect("\"source\":\"\",\"destination\":\"/d\",\"device\":\"bind\"",
               "arg.source: expected an absolute path of 1 to 4095 bytes");
        expect("\"source\":\"s\",\"destination\":\"/d\",\"device\":\"bind\"", "arg.source: expected an absolute path");
        expect("\"source\":\"../s\",\"destination\":\"/d\",\"device\":\"bind\"", "arg.source: expected an absolute path");
        expect("\"source\":\"/ok\\u0000/../etc\",\"destination\":\"/d\",\"device\":\"bind\"",
               "arg.source: expected a string without NUL");
        expect("\"source\":\"\\u0000\",\"destination\":\"/d\",\"device\":\"bind\"",
               "arg.source: expected a string without NUL");
        expect("\"source\":\"/\\u0061\\ud83d\\udc27\",\"destination\":\"\",\"device\":\"\"", NULL);
        assert_string_equal(mount.source, "/a\xf0\x9f\x90\xa7");
}

static void test_propagation_flags(void **state) {
        size_t n;

        (void)state;
        for (n = 0; n <= LIMIT_PROPAGATION + 1; n++) {
                char *list = bytes_repeat("262144,", n), *arg;

                if (n)
                        list[n * 7 - 1] = '\0';
                arg = bytes_format(PATHS ",\"propagation_flags\":[%s]", list);
                expect(arg, n <= LIMIT_PROPAGATION ? NULL : "arg.propagation_flags: expected at most 16 entries");
                if (n <= LIMIT_PROPAGATION)
                        assert_int_equal(mount.n_propagation_flags, n);
                free(arg);
                free(list);
        }
}

/* Each number of an extent at its limits: what lies above would be taken modulo 2^32 by the kernel. */
static void test_extents(void **state) {
        static const struct {
                const char *container, *host, *size;
                int ok;
        } cases[] = {
                { "0", "0", "1", 1 },
                { "0", "0", "4294967295", 1 },
                { "0", "1", "4294967295", 0 },
                { "1", "0", "4294967295", 0 },
                { "0", "0", "4294967296", 0 },
                { "0", "0", "0", 0 },
                { "4294967294", "4294967294", "1", 1 },
                { "4294967295", "0", "1", 0 },
                { "0", "4294967295", "1", 0 },
                { "0", "4294967296", "1", 0 },
                { "0", "4295067296", "1", 0 },
                { "0", "-1", "1", 0 },
                { "-1", "0", "1", 0 },
                { "0", "0", "-1", 0 },
                { "0", "18446744073709551615", "1", 0 },
                { "0", "18446744073709551616", "1", 0 },
                { "0", "1e3", "1", 0 },
                { "0", "1.9", "1", 0 },
                { "0", "100000", "\"1\"", 0 },
                { "0", "true", "1", 0 },
                { "null", "0", "1", 0 },
        };
        size_t i, side;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                for (side = 0; side < 2; side++) {
                        char *arg = bytes_format(PATHS ",\"id_mapping\":{\"%s_mappings\":" MAP
                                                       ",\"%s_mappings\":[{\"container_id\":%s,"
                                                       "\"host_id\":%s,\"size\":%s}]}",
                                                 side ? "uid" : "gid", side ? "gid" : "uid", cases[i].container,
                                                 cases[i].host, cases[i].size);

                        expect(arg, cases[i].ok ? NULL
                                    : side      ? "arg.id_mapping.gid_mappings"
                                                : "arg.id_mapping.uid_mappings");
                        free(arg);
                }
        }
}

static char *map_of(size_t n, uint32_t step) {
        char *text = malloc(n * 80 + 3), *at = text;
        size_t i;

        assert(text);
        *at++ = '[';
        for (i = 0; i < n; i++)
                at += sprintf(at, "%s{\"container_id\":%zu,\"host_id\":%zu,\"size\":1}", i ? "," : "", i * step, i * step);
        strcpy(at, "]");
        return text;
}

static void test_maps(void **state) {
        static const struct {
                size_t n;
                uint32_t step;
                const char *error;
        } cases[] = {
                { 340, 2, NULL },
                { 341, 2, "at most 340 extents" },
                { 300, 12000000, "in 4095 bytes of text" },
                { 2, 0, "do not overlap" },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                char *map = map_of(cases[i].n, cases[i].step);
                char *arg = bytes_format(PATHS ",\"id_mapping\":{\"uid_mappings\":" MAP ",\"gid_mappings\":%s}", map);

                expect(arg, cases[i].error);
                free(arg);
                free(map);
        }
        expect(PATHS ",\"id_mapping\":{}", "arg.id_mapping: expected uid_mappings and gid_mappings, or userns_path");
        expect(PATHS ",\"id_mapping\":{\"uid_mappings\":" MAP "}",
               "arg.id_mapping: expected both uid_mappings and gid_mappings");
        expect(PATHS ",\"id_mapping\":{\"gid_mappings\":" MAP ",\"uid_mappings\":[]}",
               "expected both uid_mappings and gid_mappings");
        expect(PATHS ",\"id_mapping\":{\"userns_path\":\"/proc/7/ns/user\"}", NULL);
        assert_string_equal(mount.userns_path, "/proc/7/ns/user");
        expect(PATHS ",\"id_mapping\":{\"userns_path\":\"/u\\u0000\"}",
               "arg.id_mapping.userns_path: expected a string without NUL");
}

static int free_packet(void **state) {
        (void)state;
        free(packet);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_generations),
                cmocka_unit_test(test_every_key_with_every_kind),
                cmocka_unit_test(test_every_key_absent_and_twice),
                cmocka_unit_test(test_any_order),
                cmocka_unit_test(test_paths),
                cmocka_unit_test(test_propagation_flags),
                cmocka_unit_test(test_extents),
                cmocka_unit_test(test_maps),
        };

        return cmocka_run_group_tests_name("mount-request", tests, NULL, free_packet);
}
