#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The public header stands alone, in strict C and in C++, also when it is included twice.
set -eu
: "${top_srcdir:=$(dirname "$0")/..}" "${CC:=cc}" "${CXX:=}"
. "$top_srcdir/tests/tap.sh"

compile() { # LANGUAGE STANDARD COMPILER
        printf '#include <initsync.h>\n#include <initsync.h>\n' |
                $3 -x "$1" -std="$2" -pedantic -Wall -Wextra -Werror -fsyntax-only -I"$top_srcdir/include" -
}

for standard in c11 gnu17; do
        check "$standard" compile c "$standard" "$CC"
done
for standard in c++11 c++17; do
        if [ -n "$CXX" ]; then
                check "$standard" compile c++ "$standard" "$CXX"
        else
                skip "$standard" "no C++ compiler"
        fi
done
done_testing
