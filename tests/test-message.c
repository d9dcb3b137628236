/* SPDX-License-Identifier: MIT */
/* Every message but the mount of procMountPlease, which tests/test-mount-request has. */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "wire/message.h"

#define POISON 0xababababu

static struct message_mount mount;
static struct initsync_error error;
static char *packet;            /* what a message points into */

static int read_bytes(const char *text, size_t n, struct message *message) {
        int r;

        free(packet);
        packet = bytes_exact(text, n);
        memset(message, 0xab, sizeof(*message));
        memset(&error, 0xab, sizeof(error));
        r = message_read(packet, n, &mount, message, &error);
        if (r < 0) {
                assert_int_equal(r, -EPROTO);
                assert_int_equal(error.code, r);
                assert_int_equal(error.stage, INITSYNC_STAGE_WIRE);
                assert_int_equal((unsigned)message->type, POISON);
        }
        return r;
}

static int read_text(const char *text, struct message *message) {
        return read_bytes(text, strlen(text), message);
}

static const struct {
        const char *text;
        size_t n;
        enum message_type type;
        int has_fd;
} messages[] = {
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}", 59, MESSAGE_MOUNT_FD, 1 },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"plain-open\"}}", 60, MESSAGE_MOUNT_FD, 1 },
        { "{\"type\":\"procHooks\",\"flags\":0}", 30, MESSAGE_HOOKS, 0 },
        { "{\"type\":\"procHooksDone\",\"flags\":0}", 34, MESSAGE_HOOKS_DONE, 0 },
        { "{\"type\":\"procReady\",\"flags\":0}", 30, MESSAGE_READY, 0 },
        { "{\"type\":\"procRun\",\"flags\":0}", 28, MESSAGE_RUN, 0 },
        { "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":7}", 40, MESSAGE_SECCOMP, 0 },
        { "{\"type\":\"procSeccompDone\",\"flags\":0}", 36, MESSAGE_SECCOMP_DONE, 0 },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"x\"}}", 52, MESSAGE_ERROR, 0 },
        { "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":\"/s\",\"destination\":\"/d\","
          "\"device\":\"bind\"}}",
          93, MESSAGE_MOUNT_PLEASE, 0 },
};

static void test_exact_bytes(void **state) {
        struct message message;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(messages); i++) {
                assert_int_equal(strlen(messages[i].text), messages[i].n);
                assert_int_equal(read_text(messages[i].text, &message), 0);
                assert_int_equal(message.type, messages[i].type);
                assert_int_equal(message.has_fd, messages[i].has_fd);
                assert_int_equal(message.plain_open, i == 1);
                assert_int_equal(message.number, messages[i].type == MESSAGE_SECCOMP ? 7 : 0);
                assert_string_equal(message.text.data, messages[i].type == MESSAGE_ERROR ? "x" : "");
        }
}

/* Every beginning of a message is refused, and nothing behind it is read; likewise with any byte behind it. */
static void test_truncation(void **state) {
        struct message message;
        size_t i, n;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(messages); i++) {
                char longer[256];
                int c;

                for (n = 0; n < messages[i].n; n++) {
                        assert_int_equal(read_bytes(messages[i].text, n, &message), -EPROTO);
                        bytes_contain(error.text, "expected ");
                }
                memcpy(longer, messages[i].text, messages[i].n);
                for (c = 0; c < 256; c++) {
                        longer[messages[i].n] = (char)c;
                        assert_int_equal(read_bytes(longer, messages[i].n + 1, &message),
                                         c && strchr(" \t\r\n", c) ? 0 : -EPROTO);
                }
        }
}

/* Each byte changed to each other: it never crashes, and where it is taken it is still one of the nine. */
static void test_every_byte_changed(void **state) {
        struct message message;
        size_t i, at;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(messages); i++) {
                for (at = 0; at < messages[i].n; at++) {
                        char changed[128];
                        int c;

                        memcpy(changed, messages[i].text, messages[i].n);
                        for (c = 0; c < 256; c++) {
                                changed[at] = (char)c;
                                if (read_bytes(changed, messages[i].n, &message) == 0)
                                        assert_true(message.type < MESSAGE_TYPES);
                        }
                }
        }
}

static const struct {
        const char *text, *error;       /* NULL where it is to be taken */
} envelopes[] = {
        { "{\"flags\":0,\"type\":\"procRun\"}", NULL },
        { " { \"type\" : \"procRun\" , \"flags\" : 0 } ", NULL },
        { "{\"type\":\"procRun\",\"flags\":0,\"arg\":null}", NULL },
        { "{\"type\":\"procRun\",\"flags\":0,\"more\":[{\"type\":1}],\"\":null}", NULL },
        { "{\"type\":\"proc\\u0052un\",\"flags\":0}", NULL },
        { "{\"ty\\u0070e\":\"procRun\",\"flags\":0}", NULL },
        { "{\"type\":\"procRun\",\"flags\":2}", NULL },
        { "{\"type\":\"procRun\",\"flags\":-2}", NULL },
        { "{\"type\":\"procRun\",\"flags\":9223372036854775806}", NULL },
        { "{\"type\":\"procRun\",\"flags\":0,\"Type\":5,\"FLAGS\":6,\"arg \":7}", NULL },
        { "[]", "message: expected an object" },
        { "\"procRun\"", "message: expected an object" },
        { "null", "message: expected an object" },
        { "7", "message: expected an object" },
        { "{}", "message: type: expected the key to be there" },
        { "{\"flags\":0}", "message: type: expected the key to be there" },
        { "{\"type\":\"procRun\"}", "procRun: flags: expected the key to be there" },
        { "{\"type\":null,\"flags\":0}", "message: type: expected the key to be there" },
        { "{\"type\":\"procRun\",\"flags\":null}", "procRun: flags: expected the key to be there" },
        { "{\"type\":7,\"flags\":0}", "message: type: expected a string" },
        { "{\"type\":[\"procRun\"],\"flags\":0}", "message: type: expected a string" },
        { "{\"type\":\"procRun\",\"flags\":\"0\"}", "procRun: flags: expected an integer" },
        { "{\"type\":\"procRun\",\"flags\":0.0}", "procRun: flags: expected an integer without fraction or exponent" },
        { "{\"type\":\"procRun\",\"flags\":1e0}", "procRun: flags: expected an integer without fraction or exponent" },
        { "{\"type\":\"procRun\",\"flags\":true}", "procRun: flags: expected an integer" },
        { "{\"type\":\"procRun\",\"flags\":9223372036854775808}", "procRun: flags: expected an integer in its range" },
        { "{\"type\":\"procRun\",\"flags\":0,\"arg\":{}}", "procRun: arg: expected no argument" },
        { "{\"type\":\"procReady\",\"flags\":0,\"arg\":0}", "procReady: arg: expected no argument" },
        { "{\"type\":\"procHooks\",\"flags\":0,\"arg\":false}", "procHooks: arg: expected no argument" },
        { "{\"type\":\"procHooksDone\",\"flags\":0,\"arg\":\"\"}", "procHooksDone: arg: expected no argument" },
        { "{\"type\":\"procSeccompDone\",\"flags\":0,\"arg\":[]}", "procSeccompDone: arg: expected no argument" },
        { "{\"arg\":1,\"type\":\"procRun\",\"flags\":0}", "procRun: arg: expected no argument" },
        { "{\"type\":\"procRun\",\"flags\":0,\"type\":\"procRun\"}", "type: expected the key once" },
        { "{\"type\":\"procRun\",\"flags\":0,\"t\\u0079pe\":\"procRun\"}", "type: expected the key once" },
        { "{\"type\":\"procRun\",\"flags\":0,\"flags\":0}", "procRun: flags: expected the key once" },
        { "{\"type\":\"procRun\",\"flags\":0,\"arg\":null,\"arg\":null}", "procRun: arg: expected the key once" },
        { "{\"type\":\"procRun\",\"flags\":0,\"type\\u0000\":1}", NULL }, /* another key, which nobody knows */
        { "{\"type\\u0000\":\"procRun\",\"flags\":0}", "message: type: expected the key to be there" },
        { "{\"type\":\"procRun\\u0000\",\"flags\":0}", "message: type: \"procRun\" is unknown" },
        { "{\"type\":\"\",\"flags\":0}", "message: type: \"\" is unknown" },
        { "{\"type\":\"procrun\",\"flags\":0}", "message: type: \"procrun\" is unknown" },
        { "{\"type\":\"procRun \",\"flags\":0}", "message: type: \"procRun \" is unknown" },
        { "{\"type\":\"\\u001b[2J%n%s\",\"flags\":0}", "message: type: \"\\x1b[2J%n%s\" is unknown" },
        { "{\"type\":\"procRun\",\"flags\":0,}", "procRun: expected a key in double quotes" },
        { "{\"type\":\"procRun\",\"flags\":0}{}", "procRun: expected nothing after the object" },
        { "{\"type\":\"procRun\" \"flags\":0}", "procRun: expected ',' or '}'" },
        { "{\"type\":\"procRun\",\"flags\":0,\"x\":[[[[[[[0]]]]]]]}", NULL },
        { "{\"type\":\"procRun\",\"flags\":0,\"x\":[[[[[[[[0]]]]]]]]}", "procRun: expected at most 8 levels of nesting" },
        /* arguments of the others */
        { "{\"type\":\"procMountFd\",\"flags\":1}", "procMountFd: arg" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":null}", "procMountFd: arg" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":[]}", "procMountFd: arg: expected an object" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{}}", "procMountFd: arg.type: expected the key to be there" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":null}}",
          "procMountFd: arg.type: expected the key to be there" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\\u0000\"}}",
          "procMountFd: arg.type: expected \"open_tree\" or \"plain-open\"" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\",\"type\":\"plain-open\"}}",
          "procMountFd: arg.type: expected the key once" },
        { "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"other\":{},\"type\":\"plain-open\"}}", NULL },
        { "{\"arg\":{\"type\":\"plain-open\"},\"flags\":1,\"type\":\"procMountFd\"}", NULL },
        { "{\"arg\":{\"type\":\"x\"},\"flags\":1,\"type\":\"procMountFd\"}",
          "procMountFd: arg.type: expected \"open_tree\"" },
        { "{\"type\":\"procSeccomp\",\"flags\":0}", "procSeccomp: arg" },
        { "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":\"7\"}", "procSeccomp: arg: expected an integer" },
        { "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":7.0}", "procSeccomp: arg: expected an integer without fraction" },
        { "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":{\"fd\":7}}", "procSeccomp: arg: expected an integer" },
        { "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":1000000000000000000000}",
          "procSeccomp: arg: expected an integer in its range" },
        { "{\"arg\":7e0,\"type\":\"procSeccomp\",\"flags\":0}", "procSeccomp: arg: expected an integer without fraction" },
        { "{\"type\":\"procError\",\"flags\":0}", NULL },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":{}}", NULL },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":null}}", NULL },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"code\":-2,\"step\":[],\"message\":\"\",\"path\":{}}}", NULL },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":\"text\"}", "procError: arg: expected an object" },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":7}}", "procError: arg.message: expected a string" },
        { "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"a\",\"message\":\"b\"}}",
          "procError: arg.message: expected the key once" },
        { "{\"type\":\"procMountPlease\",\"flags\":0}", "procMountPlease: arg" },
        { "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":[]}", "procMountPlease: arg: expected an object" },
};

static void test_envelopes(void **state) {
        struct message message;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(envelopes); i++) {
                int r = read_text(envelopes[i].text, &message);

                if (!r != !envelopes[i].error)
                        fail_msg("%s gives %d %s", envelopes[i].text, r, r ? error.text : "");
                if (r)
                        bytes_contain(error.text, envelopes[i].error);
        }
}

/* Bit 0 alone means something; the others are for later versions. */
static void test_flags(void **state) {
        struct message message;
        int flags;

        (void)state;
        for (flags = -300; flags < 300; flags++) {
                char *text = bytes_format("{\"type\":\"procRun\",\"flags\":%d}", flags);

                assert_int_equal(read_text(text, &message), 0);
                assert_int_equal(message.has_fd, flags & 1);
                free(text);
        }
}

static void test_numbers(void **state) {
        static const int64_t numbers[] = { 0, 1, -1, 1048576, INT32_MAX, INT64_C(1) << 31, INT64_MAX, INT64_MIN };
        struct message message;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(numbers); i++) {
                char *text = bytes_format("{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":%lld}", (long long)numbers[i]);
                char *late = bytes_format("{\"arg\":%lld,\"flags\":0,\"type\":\"procSeccomp\"}", (long long)numbers[i]);

                assert_int_equal(read_text(text, &message), 0);
                assert_true(message.number == numbers[i]);
                assert_int_equal(read_text(late, &message), 0);
                assert_true(message.number == numbers[i]);
                free(text);
                free(late);
        }
}

/* A type that is too long to be one of ours is shown up to 32 bytes. */
static void test_long_type(void **state) {
        struct message message;
        size_t n;

        (void)state;
        for (n = 30; n < 40; n++) {
                char *type = bytes_repeat("t", n), *text = bytes_format("{\"type\":\"%s\",\"flags\":0}", type);
                char *shown = bytes_format("message: type: \"%.*s\" is unknown", 32, type);

                assert_int_equal(read_text(text, &message), -EPROTO);
                assert_string_equal(error.text, shown);
                free(shown);
                free(text);
                free(type);
        }
}

/* A text of 128 KB with all that a terminal acts on is taken as it is: who shows it escapes it. */
static void test_long_error(void **state) {
        char *text = bytes_repeat("\\u001b]0;%n%s\\n\\u0000", 5000);
        char *long_packet = bytes_format("{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"%s\"}}", text);
        size_t n = strlen(long_packet);
        struct message message;

        (void)state;
        assert_int_equal(message_read(long_packet, n, NULL, &message, NULL), 0);
        assert_int_equal(message.text.length, 5000 * 10);
        assert_memory_equal(message.text.data, "\x1b]0;%n%s\n\0\x1b]0", 13);
        free(long_packet);
        free(text);
}

/* Where no request can come, its argument is passed over, but checked. */
static void test_no_room_for_a_mount(void **state) {
        char good[] = "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":7}}";
        char bad[] = "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":07}}";
        struct message message;

        (void)state;
        assert_int_equal(message_read(good, strlen(good), NULL, &message, NULL), 0);
        assert_int_equal(message.type, MESSAGE_MOUNT_PLEASE);
        assert_null(message.mount);
        assert_int_equal(message_read(bad, strlen(bad), NULL, &message, NULL), -EPROTO);
}

static void test_names(void **state) {
        (void)state;
        assert_string_equal(message_name(MESSAGE_MOUNT_PLEASE), "procMountPlease");
        assert_string_equal(message_name(MESSAGE_ERROR), "procError");
        assert_string_equal(message_name(MESSAGE_EOF), "end-of-file");
        assert_string_equal(message_name((enum message_type)77), "end-of-file");
}

static void test_arg(void **state) {
        static const struct {
                const char *text, *arg;
        } cases[] = {
                { "{\"type\":\"procRun\",\"flags\":0}", NULL },
                { "{\"type\":\"procRun\",\"flags\":0,\"arg\":null}", NULL },
                { "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\": 7 }", "7" },
                { "{\"arg\" : {\"a\":[\"\\u0041}\"]} ,\"type\":\"x\"}", "{\"a\":[\"\\u0041}\"]}" },
                { "{\"arg\":1,\"arg\":2}", NULL },
                { "{\"arg\":1", NULL },
                { "{\"arg\\u0061\":1}", NULL },         /* "arga" */
                { "[]", NULL },
                { "", NULL },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                size_t n = strlen(cases[i].text), length = 0;
                char *copy = bytes_exact(cases[i].text, n);
                const char *arg = message_arg(copy, n, &length);

                assert_memory_equal(copy, cases[i].text, n);
                assert_int_equal(!arg, !cases[i].arg);
                if (arg) {
                        assert_int_equal(length, strlen(cases[i].arg));
                        assert_memory_equal(arg, cases[i].arg, length);
                }
                free(copy);
        }
}

static int free_packet(void **state) {
        (void)state;
        free(packet);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exact_bytes),
                cmocka_unit_test(test_truncation),
                cmocka_unit_test(test_every_byte_changed),
                cmocka_unit_test(test_envelopes),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_numbers),
                cmocka_unit_test(test_long_type),
                cmocka_unit_test(test_long_error),
                cmocka_unit_test(test_no_room_for_a_mount),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_arg),
        };

        return cmocka_run_group_tests_name("message", tests, NULL, free_packet);
}
