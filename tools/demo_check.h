/* SPDX-License-Identifier: MIT */
#ifndef DEMO_CHECK_H
#define DEMO_CHECK_H

/*
 * The claims of the demo. A claim is two texts: what must be found on a kernel object, and what was found there. It holds
 * when they are equal, so a line that says "ok" always had something to compare.
 */

#include <stdbool.h>
#include <stdint.h>

enum claims_output {
        CLAIMS_STORY,           /* the claims, and the story around them */
        CLAIMS_QUIET,           /* one line a claim */
        CLAIMS_JSON,            /* one JSON object a claim */
};

/* Shared by the demo's processes: claims are made on both sides of a fork. */
struct claims {
        enum claims_output output;
        unsigned n_ok, n_differ, n_left_out;
        char first[512];        /* the first claim that differs, in words */
};

/* claim() - "ok" if @expected and @found are the same text, "DIFFERS" if not */
void claim(struct claims *claims, const char *expected, const char *found, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* claim_ids(), claim_number() - the same for uid:gid, and for numbers; a negative @found number is an errno */
struct owner {
        int error;              /* why there is no owner to be had: a negative errno, or 0 */
        uint32_t uid, gid;
};
void claim_owner(struct claims *claims, const struct owner *expected, const struct owner *found, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void claim_number(struct claims *claims, long expected, long found, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* claim_contains() - the same, for a part of a longer text */
void claim_contains(struct claims *claims, const char *part, const char *text, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* claim_left_out() - what this kernel, or this user, cannot show */
void claim_left_out(struct claims *claims, const char *reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* claims_say() - a line of the story; nothing in the other outputs */
void claims_say(const struct claims *claims, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* claims_verdict() - the last line. Return: the exit status. */
int claims_verdict(const struct claims *claims);

/* owner_text(), code_text() - "1000:1000" or the error; "EACCES" or "0" */
const char *owner_text(const struct owner *owner, char text[static 64]);
const char *code_text(int code, char text[static 64]);

#endif /* DEMO_CHECK_H */
