/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_BARE_H
#define SUPPORT_BARE_H

/*
 * The wire spoken by hand, from a process of its own that cannot use cmocka: results are returned, a difference is told on
 * stderr.
 * Nothing waits longer than BARE_MS.
 */

#include <stddef.h>

#define BARE_MS 8000
#define BARE_PACKET 212960              /* the largest that default buffers let through */

#define BARE_PLAIN(type) "{\"type\":\"" type "\",\"flags\":0}"
#define BARE_HOOKS BARE_PLAIN("procHooks")
#define BARE_HOOKS_DONE BARE_PLAIN("procHooksDone")
#define BARE_READY BARE_PLAIN("procReady")
#define BARE_RUN BARE_PLAIN("procRun")
#define BARE_SECCOMP_DONE BARE_PLAIN("procSeccompDone")
#define BARE_SECCOMP(number) "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":" number "}"
#define BARE_ERROR(text) "{\"type\":\"procError\",\"flags\":0,\"arg\":{\"message\":\"" text "\"}}"
#define BARE_MOUNT(source)                                                                                       \
        "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":\"" source                              \
        "\",\"destination\":\"/mnt\",\"device\":\"bind\",\"flags\":4096}}"
#define BARE_MOUNT_FD "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"open_tree\"}}"
#define BARE_PLAIN_OPEN "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"plain-open\"}}"

/* What "@" of bare_play() sends beside a packet: a descriptor */
extern int bare_gift;

/* bare_send() - one packet; 0 or a negative errno */
int bare_send(int socket, const char *text);

/* bare_send_fds() - the same with @n_fds copies of @fd beside it; also an empty one */
int bare_send_fds(int socket, const void *data, size_t n, int fd, size_t n_fds);

/*
 * bare_receive() - the next packet, terminated by a NUL, and its first descriptor (@ret_fd may be NULL: it is closed)
 *
 * Return: its length, 0 at end-of-file, -ETIMEDOUT, another negative errno.
 */
int bare_receive(int socket, char *to, size_t size, int *ret_fd);

/* bare_expect() - the next packet is @text; 0 or -1 */
int bare_expect(int socket, const char *text);

/*
 * bare_play() - the lines of @script, up to NULL, one after the other; 0 or -1
 *
 *      <TEXT   the next packet is TEXT         <fd     the next packet brings a descriptor
 *      <...TEXT the next packet contains TEXT  <eof    nothing more comes
 *      ~N      sleep for N ms                  .       wait to be killed
 *      @TEXT   send it with bare_gift          @@TEXT  with two of it
 *      TEXT    send it
 */
int bare_play(int socket, const char *const *script);

/* bare_child() - bare_play() as the function of a child; @script is its argument */
int bare_child(int socket, void *script);

/* In the function of a child: what does not hold is told, and makes it fail. */
#define BARE_CHECK(condition)                                                                                    \
        do {                                                                                                     \
                if (!(condition)) {                                                                              \
                        fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
                        return 1;                                                                                \
                }                                                                                                \
        } while (0)

#endif /* SUPPORT_BARE_H */
