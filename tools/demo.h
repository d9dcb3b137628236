/* SPDX-License-Identifier: MIT */
#ifndef DEMO_H
#define DEMO_H

/* demo_main() - `syncdemo demo [--quiet | --json]`: the built-in scenario; options from @argv[1] on. Return: exit status. */
int demo_main(int argc, char **argv);

#endif /* DEMO_H */
