#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs one test for automake's TAP driver: run-tap.sh COMMAND...
#
# - cmocka prints TAP when asked by its environment.
# - cmocka 1.1.5 reports a skip as "not ok N # SKIP name", which the driver takes for a failure; newer ones do not match.
# - A pipe loses the status of its first command, and with it what a sanitizer has to say, so it travels on descriptor 3.
# - A test that hangs ends as a failure.
set -eu

CMOCKA_MESSAGE_OUTPUT=TAP
export CMOCKA_MESSAGE_OUTPUT

if command -v timeout >/dev/null; then
        set -- timeout -k 10 "${INITSYNC_TEST_TIMEOUT:-600}" "$@"
fi

exec 4>&1
status=$({
        {
                code=0
                "$@" </dev/null 3>&- 4>&- || code=$?
                echo "$code" >&3
        } | sed 's/^not ok \([0-9]*\) # SKIP \(.*\)/ok \1 - \2 # SKIP/' >&4
} 3>&1)
exit "$status"
