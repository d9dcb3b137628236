/* SPDX-License-Identifier: MIT */
#ifndef WIRE_LIMITS_H
#define WIRE_LIMITS_H

/*
 * What a conversation may cost, each with its reason. All of them are the library's own; the kernel's are named so.
 */

/*
 * The longest honest request: 3 paths of 4,095 bytes, 6 bytes each when escaped (\u00XX), and 680 extents of 67 bytes:
 * 119.7 KB. A child can raise its send buffer to megabytes, so what arrives is never measured first and allocated then.
 */
#define LIMIT_REQUEST 131072

/* Parent to child: an error text of 975 bytes, 6 bytes each when escaped, and its envelope. */
#define LIMIT_ANSWER 8192

/* A descriptor packet's name is the source of the request: the kernel's PATH_MAX without its NUL. */
#define LIMIT_PATH 4095

/* An honest request is 5 deep: envelope, mount, id_mapping, list, extent. */
#define LIMIT_DEPTH 8

/* "procSeccompDone" has 15 bytes. */
#define LIMIT_TYPE 32

/* Kept of a procError's message. */
#define LIMIT_ERROR_TEXT 975

/* runc sends one entry per propagation option, of which there are 8. */
#define LIMIT_PROPAGATION 16

/* SCM_MAX_FD of the kernel: room for all that a packet can carry, so that none of it stays behind unseen. */
#define LIMIT_FDS 253

/* A runtime's list of mounts: several times the longest seen in the field, and a search through it stays short. */
#define LIMIT_MOUNTS 1024

/* Unanswered requests a child may have: one that sends 307 before it reads deadlocks with default buffers. */
#define LIMIT_AHEAD 32

/* A process's number for a descriptor: the highest that sysctl fs.nr_open usually allows is 1,048,576. */
#define LIMIT_FD_NUMBER (1 << 20)

#endif /* WIRE_LIMITS_H */
