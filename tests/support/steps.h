/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_STEPS_H
#define SUPPORT_STEPS_H

/* A recorded conversation as packets, in order, whichever of the two forms it was recorded in. */

#include "recording.h"
#include "wire/message.h"

#define STEPS_MOST 256

struct step {
        int from_child, is_descriptor;
        enum message_type type;         /* not of a descriptor packet */
        char *text;                     /* the packet, terminated; of a descriptor packet its name */
};

struct steps {
        struct step at[STEPS_MOST];
        size_t n;
        int parent_said_nothing;        /* a runtime's log in which the parent failed: ours says one procError more */
};

void steps_read(struct steps *steps, const struct recording *recording);
void steps_free(struct steps *steps);

/* steps_has() - does a message of this type come from that side */
int steps_has(const struct steps *steps, int from_child, enum message_type type);

/* steps_decode() - @text to a message, the mount of a request in static memory of which there are two, used in turn */
struct message steps_decode(const char *text);

#endif /* SUPPORT_STEPS_H */
