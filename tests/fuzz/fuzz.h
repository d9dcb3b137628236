/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_H
#define FUZZ_H

/*
 * Each fuzz-*.c is one function from bytes to "nothing that must not happen has happened": abort() otherwise. With
 * ./configure --enable-fuzzers it becomes a program of libFuzzer; without, plain.c runs it over its corpus and over mutations of that,
 * in `make check`.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fuzz_name() - whose corpus it is: tests/fuzz/corpus/NAME */
extern const char fuzz_name[];

#define FUZZ_CHECK(condition)                                                                           \
        do {                                                                                            \
                if (!(condition)) {                                                                     \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                 \
                        abort();                                                                        \
                }                                                                                       \
        } while (0)

/* The input, taken from its front; 0 and nothing when it is used up. */
struct fuzz_input {
        const uint8_t *data;
        size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input) {
        if (!input->left)
                return 0;
        input->left--;
        return *input->data++;
}

static inline const uint8_t *fuzz_bytes(struct fuzz_input *input, size_t wanted, size_t *ret_n) {
        const uint8_t *data = input->data;

        *ret_n = wanted < input->left ? wanted : input->left;
        input->data += *ret_n;
        input->left -= *ret_n;
        return data;
}

#endif /* FUZZ_H */
