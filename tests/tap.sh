# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# Sourced by the tests written in shell: check NAME COMMAND... runs COMMAND, which prints on stdout what is wrong and fails
# if anything is; done_testing prints the plan.

tap_count=0

check() {
        tap_name=$1
        shift
        tap_count=$((tap_count + 1))
        if tap_output=$("$@" 2>&1); then
                echo "ok $tap_count - $tap_name"
        else
                echo "not ok $tap_count - $tap_name"
        fi
        if [ -n "$tap_output" ]; then
                printf '%s\n' "$tap_output" | sed 's/^/# /'
        fi
}

skip() {
        tap_count=$((tap_count + 1))
        echo "ok $tap_count - $1 # SKIP $2"
}

done_testing() {
        echo "1..$tap_count"
}

# A check in the form "this text must be empty".
nothing() {
        [ -z "$1" ] || { printf '%s\n' "$1"; return 1; }
}
