#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the examples, given as arguments or named in EXAMPLES below $top_builddir, and prints TAP. Its status says whether
# all were fine, for `make installcheck`, where nobody reads the TAP.
set -eu

if [ $# = 0 ]; then
        for example in ${EXAMPLES:-}; do
                set -- "$@" "${top_builddir:-.}/$example"
        done
fi

count=0
status=0
for example; do
        count=$((count + 1))
        code=0
        output=$("$example" 2>&1 </dev/null) || code=$?
        case $code in
        0) echo "ok $count - $(basename "$example")" ;;
        77) echo "ok $count - $(basename "$example") # SKIP $(printf '%s' "$output" | tail -n 1)" ;;
        *)
                echo "not ok $count - $(basename "$example"): status $code"
                status=1
                ;;
        esac
        if [ -n "$output" ]; then
                printf '%s\n' "$output" | sed 's/^/# /'
        fi
done
if [ "$count" = 0 ]; then
        echo "ok 1 - there are no examples yet"
        count=1
fi
echo "1..$count"
exit "$status"
