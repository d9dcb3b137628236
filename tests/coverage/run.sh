#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make coverage: builds the library with counters in DIRECTORY, runs the suite there, and says what of src/ ran: run.sh SOURCE
# DIRECTORY. The table is in DIRECTORY/coverage.txt, with every line and branch that is missing.
set -eu

source=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2"
build=$(pwd -P)

# Programs write their counters when they end, and some end with another file system there.
case $build in
/tmp/* | /mnt/*) echo "coverage: not in $build: some tests mount over /tmp and /mnt; say make coverage COVERAGE_DIR=..." >&2; exit 2 ;;
esac

find . -name '*.gcda' -exec rm -f {} +
"$source/configure" -C --enable-tools --enable-tests --disable-shared --enable-coverage CFLAGS='-g -O0' ${CC:+CC="$CC"} \
        >configure.log
make -j"$(nproc)" >make.log 2>&1
make -j"$(nproc)" check TESTS= >>make.log 2>&1

# The files with the counters come into being here, so that ordinary users, whom some tests become, can write to them.
./syncdemo --version >/dev/null
tests/fault-calls none >/dev/null 2>&1 || true
chmod -R a+rwX .

status=0
make -k -j"$(nproc)" check >check.log 2>&1 || status=$?
grep -E '^(FAIL|ERROR): |^# [A-Z]+: ' check.log || true
python3 "$source/tests/coverage/report.py" -v . "$source" >coverage.txt || status=$?
grep -v '^    ' coverage.txt
exit "$status"
