/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench_worker.h"
#include "say.h"

struct order {
        operation run;
        void *data;
        unsigned n;
};

struct answer {
        int64_t result;
        struct initsync_error error;
};

static void serve(int socket) {
        struct order order;
        struct answer answer;

        while (read(socket, &order, sizeof(order)) == (ssize_t)sizeof(order)) {
                memset(&answer, 0, sizeof(answer));
                answer.result = measure_batch(order.run, order.data, order.n, &answer.error);
                if (write(socket, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
                        break;
        }
        _exit(0);
}

static int64_t receive(struct worker *worker, struct initsync_error *reterr) {
        struct answer answer;
        ssize_t n;

        do
                n = read(worker->socket, &answer, sizeof(answer));
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)sizeof(answer))
                return fault(reterr, -ECHILD, "a process of the bench died");
        if (answer.result < 0)
                *reterr = answer.error;
        return answer.result;
}

int worker_start(struct worker *worker, int (*setup)(void *data, struct initsync_error *reterr), void *data,
                 struct initsync_error *reterr) {
        struct answer answer;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return fault_call(reterr, -errno, "socketpair", NULL);
        worker->pid = fork();
        if (worker->pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(pair[0]);
                memset(&answer, 0, sizeof(answer));
                answer.result = setup ? setup(data, &answer.error) : 0;
                if (write(pair[1], &answer, sizeof(answer)) == (ssize_t)sizeof(answer) && answer.result >= 0)
                        serve(pair[1]);
                _exit(1);
        }
        close(pair[1]);
        worker->socket = pair[0];
        if (worker->pid < 0) {
                worker->pid = 0;
                return fault_call(reterr, -errno, "fork", NULL);
        }
        return (int)receive(worker, reterr);
}

int64_t worker_run(struct worker *worker, operation run, void *data, unsigned n, struct initsync_error *reterr) {
        struct order order = { run, data, n };

        if (write(worker->socket, &order, sizeof(order)) != (ssize_t)sizeof(order))
                return fault(reterr, -ECHILD, "a process of the bench died");
        return receive(worker, reterr);
}

void worker_end(struct worker *worker) {
        if (worker->socket >= 0)
                close(worker->socket);
        if (worker->pid > 0) {
                kill(worker->pid, SIGKILL);     /* workers made later hold its socket, too: it would not see its end */
                waitpid(worker->pid, NULL, 0);
        }
        *worker = (struct worker)WORKER_NONE;
}
