/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "demo_check.h"

static void print_json(const char *what, const char *result, const char *expected, const char *found, const char *reason) {
        const int flags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
        const struct {
                const char *key, *value;
        } members[] = {
                { "claim", what }, { "result", result }, { "expected", expected }, { "found", found }, { "reason", reason },
        };
        struct json_object *line = json_object_new_object();

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
                if (members[i].value)
                        json_object_object_add(line, members[i].key, json_object_new_string(members[i].value));
        puts(json_object_to_json_string_ext(line, flags));
        json_object_put(line);
}

__attribute__((format(printf, 4, 0)))
static void judge(struct claims *claims, const char *expected, const char *found, const char *format, va_list args) {
        bool holds = strcmp(expected, found) == 0;
        char what[320];

        vsnprintf(what, sizeof(what), format, args);
        if (holds)
                claims->n_ok++;
        else if (claims->n_differ++ == 0)
                snprintf(claims->first, sizeof(claims->first), "%s: expected %.60s, found %.100s", what, expected, found);
        if (claims->output == CLAIMS_JSON)
                print_json(what, holds ? "ok" : "differs", expected, found, NULL);
        else if (holds)
                printf("ok   %s: %s\n", what, found);
        else
                printf("DIFFERS %s: expected %s, found %s\n", what, expected, found);
        fflush(stdout);
}

void claim(struct claims *claims, const char *expected, const char *found, const char *format, ...) {
        va_list args;

        va_start(args, format);
        judge(claims, expected, found, format, args);
        va_end(args);
}

void claim_owner(struct claims *claims, const struct owner *expected, const struct owner *found, const char *format, ...) {
        char expected_text[64], found_text[64];
        va_list args;

        va_start(args, format);
        judge(claims, owner_text(expected, expected_text), owner_text(found, found_text), format, args);
        va_end(args);
}

void claim_number(struct claims *claims, long expected, long found, const char *format, ...) {
        char expected_text[32], found_text[64];
        va_list args;

        snprintf(expected_text, sizeof(expected_text), "%ld", expected);
        if (found < 0)
                code_text((int)found, found_text);
        else
                snprintf(found_text, sizeof(found_text), "%ld", found);
        va_start(args, format);
        judge(claims, expected_text, found_text, format, args);
        va_end(args);
}

void claim_contains(struct claims *claims, const char *part, const char *text, const char *format, ...) {
        va_list args;

        va_start(args, format);
        judge(claims, part, strstr(text, part) ? part : *text ? text : "nothing", format, args);
        va_end(args);
}

void claim_left_out(struct claims *claims, const char *reason, const char *format, ...) {
        char what[320];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof(what), format, args);
        va_end(args);
        claims->n_left_out++;
        if (claims->output == CLAIMS_JSON)
                print_json(what, "left out", NULL, NULL, reason);
        else
                printf("left out %s: %s\n", what, reason);
        fflush(stdout);
}

void claims_say(const struct claims *claims, const char *format, ...) {
        va_list args;

        if (claims->output != CLAIMS_STORY)
                return;
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        putchar('\n');
        fflush(stdout);
}

int claims_verdict(const struct claims *claims) {
        /* without a single claim nothing was shown, and that is no success either */
        int status = claims->n_differ > 0 || claims->n_ok == 0 ? 1 : 0;

        if (claims->output != CLAIMS_JSON) {
                claims_say(claims, "%s", "");
                if (claims->n_differ > 0)
                        printf("%u of %u claims differ, the first: %s\n", claims->n_differ, claims->n_ok + claims->n_differ,
                               claims->first);
                else
                        printf("all %u claims hold, %u left out\n", claims->n_ok, claims->n_left_out);
        }
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "syncdemo: cannot write to standard output: %s\n", strerror(errno));
                status = 1;
        }
        return status;
}

const char *owner_text(const struct owner *owner, char text[static 64]) {
        if (owner->error < 0)
                return code_text(owner->error, text);
        snprintf(text, 64, "%u:%u", owner->uid, owner->gid);
        return text;
}

const char *code_text(int code, char text[static 64]) {
        static const struct {
                int code;
                const char *name;
        } names[] = {
                { EACCES, "EACCES" }, { ECHILD, "ECHILD" }, { ECONNRESET, "ECONNRESET" }, { EDQUOT, "EDQUOT" },
                { EINVAL, "EINVAL" }, { EIO, "EIO" }, { ENOENT, "ENOENT" }, { ENOSYS, "ENOSYS" },
                { EOPNOTSUPP, "EOPNOTSUPP" }, { EPERM, "EPERM" }, { EPROTO, "EPROTO" }, { EREMOTEIO, "EREMOTEIO" },
                { EROFS, "EROFS" }, { ETIMEDOUT, "ETIMEDOUT" },
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (code == -names[i].code)
                        return strcpy(text, names[i].name);
        if (code >= 0)
                snprintf(text, 64, "%d", code);
        else
                snprintf(text, 64, "errno %d (%.40s)", -code, strerror(-code));
        return text;
}
