/* SPDX-License-Identifier: MIT */
/* Control messages: whatever comes beside a packet, no descriptor is left open, and none is delivered that was not alone. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "peer.h"
#include "wire/packet.h"

const char fuzz_name[] = "packet";

static void receive(int socket, int how, unsigned n_fds) {
        int fd = -1, fds[PACKET_RAW_FDS] = { -1, -1 }, i, r, open_fds = 0;
        char data[64];
        const char *why = NULL;

        switch (how) {
        case 0:
                r = packet_receive(socket, data, sizeof(data), &why);
                FUZZ_CHECK(r < 0 || n_fds == 0);
                break;
        case 1:
                r = packet_receive_fd(socket, data, sizeof(data), &fd, &why);
                FUZZ_CHECK(fd < 0 || (r > 0 && n_fds == 1));
                break;
        default:
                r = packet_receive_raw(socket, data, sizeof(data), fds, &why);
                for (i = 0; i < PACKET_RAW_FDS; i++)
                        open_fds += fds[i] >= 0;
                FUZZ_CHECK(r <= 0 || (open_fds == (int)n_fds && n_fds <= 1));
        }
        FUZZ_CHECK(r <= (int)sizeof(data));
        for (i = 0; i < PACKET_RAW_FDS; i++)
                if (fds[i] >= 0)
                        close(fds[i]);
        if (fd >= 0)
                close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct fuzz_input input = { data, size };
        int before = peer_fds(), pair[2], on = 1;

        FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        if (fuzz_byte(&input) & 1)
                setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        while (input.left) {
                uint8_t kind = fuzz_byte(&input);
                unsigned n_fds = kind & 7;
                size_t n;
                const uint8_t *bytes = fuzz_bytes(&input, fuzz_byte(&input), &n);

                peer_send(pair[0], bytes, n, n_fds, kind & 8);
                receive(pair[1], (kind >> 4) % 3, n_fds);
                /* One packet a time: what was refused is gone. */
                FUZZ_CHECK(recv(pair[1], &on, sizeof(on), MSG_DONTWAIT) < 0 && errno == EAGAIN);
        }
        close(pair[0]);
        close(pair[1]);
        FUZZ_CHECK(peer_fds() == before);
        return 0;
}
