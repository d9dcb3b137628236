/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the probe have in common: one value of its JSON object is printed by each function. */

void put_string(const char *text);
/* A failure, as a string that no value looks like. */
void put_error(const char *what);

/* probe_path.c: what there is at a path, and what may be done with it. */
void put_path(const char *path);

/* probe_task.c: what a process has besides its credentials. */
void put_seccomp(void);
void put_personality(void);
void put_affinity(void);
void put_terminal(void);
void put_attributes(void);
void put_keyring(void);
