/* SPDX-License-Identifier: MIT */
#ifndef WIRE_TURN_H
#define WIRE_TURN_H

/* Whose turn it is: which message may come at which step of the conversation, and where it leads. */

#include <initsync.h>
#include "wire/message.h"

enum turn_from {
        TURN_CHILD,
        TURN_PARENT,
};

/* turn_next() - the step that @type, sent by @from, leads to from @step; -EPROTO where it has no place */
int turn_next(int step, enum turn_from from, enum message_type type);

/* turn_expected() - what @from may send at @step, in words, for an error text */
void turn_expected(int step, enum turn_from from, char *to, size_t size);

#endif /* WIRE_TURN_H */
