/* SPDX-License-Identifier: MIT */
#ifndef COMMANDS_H
#define COMMANDS_H

/* The commands of the tool that have their options read by options_parse(). Each returns the exit status. */

struct options;

int run_main(const struct options *options);
int parent_main(const struct options *options);
int init_main(const struct options *options);
int idmap_main(const struct options *options);
int features_main(const struct options *options);

#endif /* COMMANDS_H */
