/* SPDX-License-Identifier: MIT */
/*
 * The reader's verdict on documents that nobody wrote, against two others: json-c, whose laxities are known by name, and
 * Python, whose are closed in json-verdict.py.
 */
#include "support/support.h"

#include <json-c/json.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "base/attr.h"
#include "base/error.h"
#include "support/bytes.h"
#include "wire/reader.h"

#define DOCUMENTS 20000
#define MOST 400

static struct {
        char text[MOST];
        size_t n;
        int ok;
} documents[DOCUMENTS];

static uint64_t seed;

static void put(size_t i, const char *text, size_t n) {
        if (documents[i].n + n <= MOST) {
                memcpy(documents[i].text + documents[i].n, text, n);
                documents[i].n += n;
        }
}

static void put_text(size_t i, const char *text) {
        put(i, text, strlen(text));
}

static void generate_string(size_t i) {
        static const char *const parts[] = {
                "a",       "xyz", "\\n",  "\\u0041",  "\\u0000",      "\\ud83d\\udc27",   "\\ud800",
                "\\udfff", "\\/", "\\\"", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", " ",
                "'",       "\x7f"
        };
        uint32_t n = bytes_random(&seed) % 6;

        put_text(i, "\"");
        while (n--)
                put_text(i, parts[bytes_random(&seed) % ARRAY_SIZE(parts)]);
        put_text(i, "\"");
}

static void generate(size_t i, int depth) {
        static const char *const atoms[] = { "0",    "-0",  "1",    "-12",     "4294967296", "18446744073709551616",
                                             "1.5",  "1e3", "1E-2", "-0.0e+9", "true",       "false",
                                             "null", " 1",  "2\n",  "\t[ ]",   "{ }" };
        static const char *const keys[] = { "\"a\":", "\"b\" :", "\"\":", "\"a\\u0062\": " };
        uint32_t kind = bytes_random(&seed) % (depth > 9 ? 2 : 4), n, k;

        if (kind == 0) {
                put_text(i, atoms[bytes_random(&seed) % ARRAY_SIZE(atoms)]);
                return;
        }
        if (kind == 1) {
                generate_string(i);
                return;
        }
        put_text(i, kind == 2 ? "{" : "[");
        for (n = bytes_random(&seed) % 4, k = 0; k < n; k++) {
                put_text(i, k ? "," : "");
                if (kind == 2)
                        put_text(i, keys[bytes_random(&seed) % ARRAY_SIZE(keys)]);
                generate(i, depth + 1);
        }
        put_text(i, kind == 2 ? "}" : "]");
}

/* Half of them are damaged: a byte, or something that other parsers take, at a random place. */
static void damage(size_t i) {
        static const char *const pieces[] = { "'",   "NaN",  "Infinity", "\x01",     "\t",
                                              "//",  "/**/", "\xff",     "\xc0\xaf", "\xed\xa0\x80",
                                              "0",   "-",    "+",        ".",        "e",
                                              ",",   ":",    "]",        "}",        "[",
                                              "{",   "\"",   "\\",       "\\u12",    "\xef\xbb\xbf",
                                              "nul", "\n" };
        size_t n = documents[i].n, at = bytes_random(&seed) % (n + 1), length;
        const char *piece = pieces[bytes_random(&seed) % ARRAY_SIZE(pieces)];

        switch (bytes_random(&seed) % 4) {
        case 0:
                documents[i].n = at;
                break;
        case 1:
                if (at < n)
                        documents[i].text[at] = (char)bytes_random(&seed);
                break;
        case 2:
                if (at < n) {
                        memmove(documents[i].text + at, documents[i].text + at + 1, n - at - 1);
                        documents[i].n--;
                }
                break;
        default:
                length = strlen(piece);
                if (n + length <= MOST) {
                        memmove(documents[i].text + at + length, documents[i].text + at, n - at);
                        memcpy(documents[i].text + at, piece, length);
                        documents[i].n += length;
                }
        }
}

static int verdict(size_t i) {
        char *copy = bytes_exact(documents[i].text, documents[i].n);
        struct reader reader;
        int r;

        reader_init(&reader, copy, documents[i].n);
        reader_skip(&reader);
        r = reader_end(&reader);
        free(copy);
        return r == 0;
}

static int make_documents(void **state) {
        size_t i;

        (void)state;
        seed = bytes_seed();
        for (i = 0; i < DOCUMENTS; i++) {
                generate(i, 0);
                if (i % 2)
                        damage(i);
                documents[i].ok = verdict(i);
        }
        return 0;
}

static void complain(size_t i, const char *other, int verdict_of_other) {
        char shown[4 * MOST + 1];
        size_t k, used = 0;

        for (k = 0; k < documents[i].n; k++) {
                unsigned char c = (unsigned char)documents[i].text[k];

                used += (size_t)sprintf(shown + used, c >= 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
        }
        shown[used] = '\0';
        fail_msg("document %zu: the reader says %d, %s %d: %s", i, documents[i].ok, other, verdict_of_other, shown);
}

static json_object *json_c(size_t i) {
        json_tokener *tokener = json_tokener_new_ex(64);
        json_object *object;
        char *copy = bytes_exact(documents[i].text, documents[i].n);
        int ok;

        assert(tokener);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, copy, (int)documents[i].n);
        ok = json_tokener_get_error(tokener) == json_tokener_success;
        /* A number at the very end could go on: json-c wants to see one byte more. */
        if (json_tokener_get_error(tokener) == json_tokener_continue) {
                object = json_tokener_parse_ex(tokener, "", 1);
                ok = json_tokener_get_error(tokener) == json_tokener_success;
        } else if (ok && json_tokener_get_parse_end(tokener) != documents[i].n) {
                ok = strspn(copy + json_tokener_get_parse_end(tokener), " \t\r\n") >=
                     documents[i].n - json_tokener_get_parse_end(tokener);
        }
        json_tokener_free(tokener);
        free(copy);
        if (!ok)
                json_object_put(object);
        else if (!object)
                object = json_object_new_string("null");
        return ok ? object : NULL;
}

static int is_digit(size_t i, size_t k) {
        return k < documents[i].n && documents[i].text[k] >= '0' && documents[i].text[k] <= '9';
}

/* Levels of brackets outside strings. json-c counts a value in a list as one more, so that its own limit is of no use. */
static int depth_of(size_t i) {
        int depth = 0, most = 0, quoted = 0;
        size_t k;

        for (k = 0; k < documents[i].n; k++) {
                char c = documents[i].text[k];

                if (c == '\\')
                        k++;
                else if (c == '"')
                        quoted = !quoted;
                else if (!quoted)
                        depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
                most = depth > most ? depth : most;
        }
        return most;
}

/* What json-c's strict mode takes all the same: each of these alone makes the reader refuse a document. */
static int is_known_laxity(size_t i) {
        const char *text = documents[i].text;
        size_t n = documents[i].n, k;

        if (memmem(text, n, "NaN", 3) || memmem(text, n, "Infinity", 8) || memchr(text, '\'', n))
                return 1;
        for (k = 0; k < n; k++) {
                if ((unsigned char)text[k] < 0x20)
                        return 1;               /* in a string, or after a NUL */
                if ((unsigned char)text[k] >= 0xc0 && !text_utf8((const unsigned char *)text + k, n - k))
                        return 1;               /* overlong forms, surrogates */
                if (text[k] == '0' && is_digit(i, k + 1) && !(k && (is_digit(i, k - 1) || text[k - 1] == '.')))
                        return 1;               /* 00 */
                if (text[k] == '-' && k + 1 < n && text[k + 1] == '.')
                        return 1;               /* -.5 */
                if (is_digit(i, k) && k + 1 < n && strchr(".eE+-", text[k + 1]) && !is_digit(i, k + 2))
                        return 1;               /* 1. and 1e */
        }
        return depth_of(i) > LIMIT_DEPTH;
}

/* What the reader takes json-c takes, too; the reverse holds but for what is known. And strings come out the same. */
static void test_json_c(void **state) {
        size_t i, taken = 0, lax = 0;

        (void)state;
        for (i = 0; i < DOCUMENTS; i++) {
                json_object *object = json_c(i);

                taken += (size_t)documents[i].ok;
                lax += object && !documents[i].ok;
                if (documents[i].ok && !object)
                        complain(i, "json-c", 0);
                if (object && !documents[i].ok && !is_known_laxity(i))
                        complain(i, "json-c", 1);
                json_object_put(object);
        }
        printf("# %zu of %d are JSON, json-c takes %zu more\n", taken, DOCUMENTS, lax);
        assert_true(taken > DOCUMENTS / 3 && taken < DOCUMENTS);
}

/*
 * Half a pair json-c makes other things of than Go (tests/test-reader-values looks at these), and it takes a whole pair for
 * half of one where the code point's low 16 bits are those of a surrogate, U+1D827 for one. So the penguin's is the only pair
 * compared.
 */
static int has_odd_surrogate(size_t i) {
        size_t k;

        for (k = 0; k + 6 <= documents[i].n; k++)
                if (strncasecmp(documents[i].text + k, "\\ud", 3) == 0 && strchr("89abAB", documents[i].text[k + 3]) &&
                    strncasecmp(documents[i].text + k + 3, "83d", 3) != 0)
                        return 1;
        return 0;
}

static void test_strings(void **state) {
        size_t i, compared = 0;

        (void)state;
        for (i = 0; i < DOCUMENTS; i++) {
                struct reader reader;
                struct string text;
                json_object *object;

                if (!documents[i].ok || documents[i].text[0] != '"' || has_odd_surrogate(i))
                        continue;
                object = json_c(i);
                assert_non_null(object);
                reader_init(&reader, documents[i].text, documents[i].n);
                reader_text(&reader, &text);
                if (text.length != (size_t)json_object_get_string_len(object) ||
                    memcmp(text.data, json_object_get_string(object), text.length) != 0)
                        complain(i, "json-c's string differs from", 1);
                json_object_put(object);
                compared++;
        }
        assert_true(compared > 100);
}

static void run_python(FILE *in, FILE *out) {
        const char *top = getenv("top_srcdir");
        char *script = bytes_format("%s/tests/json-verdict.py", top ? top : ".");
        int status;
        pid_t pid;

        fflush(in);
        rewind(in);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
                dup2(fileno(in), 0);
                dup2(fileno(out), 1);
                execlp("python3", "python3", script, NULL);
                _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        free(script);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
                fclose(in);
                fclose(out);
                skip();
        }
        assert_int_equal(status, 0);
        rewind(out);
}

static void test_python(void **state) {
        FILE *in = fdopen(memfd_create("documents", MFD_CLOEXEC), "w+");
        FILE *out = fdopen(memfd_create("verdicts", MFD_CLOEXEC), "w+");
        size_t i, k;

        (void)state;
        assert_non_null(in);
        assert_non_null(out);
        for (i = 0; i < DOCUMENTS; i++) {
                for (k = 0; k < documents[i].n; k++)
                        fprintf(in, "%02x", (unsigned char)documents[i].text[k]);
                fprintf(in, "\n");
        }
        run_python(in, out);
        for (i = 0; i < DOCUMENTS; i++) {
                int other = -1;

                assert_int_equal(fscanf(out, "%d", &other), 1);
                if (other != documents[i].ok)
                        complain(i, "Python", other);
        }
        fclose(in);
        fclose(out);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_json_c),
                cmocka_unit_test(test_python),
                cmocka_unit_test(test_strings),         /* the last: decodes in place */
        };

        return cmocka_run_group_tests_name("json-differential", tests, make_documents, NULL);
}
