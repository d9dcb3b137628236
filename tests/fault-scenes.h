/* SPDX-License-Identifier: MIT */
#ifndef FAULT_SCENES_H
#define FAULT_SCENES_H

/* What is done while calls fail: together the scenes pass every system call of the library. */

#include "support/handshake.h"

/* How a scene's kernel differs. */
struct fault_denial {
        const char *call, *function;    /* in this function, or NULL: everywhere */
        int error;
        unsigned from, times;           /* 0, 0: always */
};
#define FAULT_DENIALS 5

struct fault_scene {
        const char *name;
        unsigned flags;                                 /* of a handshake */
        void (*run)(struct handshake *handshake);       /* instead of one */
        int no_stdio;                                   /* descriptors 0 to 2 are closed */
        int slow;                                       /* of what others pass, nothing is swept again but at full length */
        struct fault_denial denials[FAULT_DENIALS];
};

extern const struct fault_scene fault_scenes[];
extern const int fault_n_scenes;

#endif /* FAULT_SCENES_H */
