#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The code of a task that shares our memory calls nothing but itself, memcpy and memset: any other function may take a lock,
# use errno or expect a thread of libc's.
set -eu
: "${top_srcdir:=$(dirname "$0")/..}" "${top_builddir:=.}" "${NM:=nm}" "${RAW_OBJECTS:=}"
. "$top_srcdir/tests/tap.sh"
cd "$top_builddir"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# A .lo file is libtool's note of where the objects are: one for shared libraries, one for static ones, or "none".
objects() {
        for lo in $RAW_OBJECTS; do
                sed -En "s;^(pic_object|non_pic_object)='(.*)';$(dirname "$lo")/\2;p" "$lo"
        done | grep -v '/none$' | LC_ALL=C sort -u
}

undefined_in() { $NM -P "$1" | awk '$2 ~ /^[Uwv]$/ { print $1 }' | LC_ALL=C sort -u; }

objects >"$dir/objects"
check "there are objects to look at" test -s "$dir/objects"

# _GLOBAL_OFFSET_TABLE_ is no function but the linker's name for the table that position-independent code uses.
{
        printf '%s\n' memcpy memset _GLOBAL_OFFSET_TABLE_
        # In a coverage build, from constructors, which are no task's.
        [ "${COVERAGE:-no}" = no ] || printf '%s\n' __gcov_init __gcov_exit __gcov_merge_add
        while read -r object; do
                $NM -P -g "$object" | awk '$2 !~ /^[Uwv]$/ { print $1 }'
        done <"$dir/objects"
} | LC_ALL=C sort -u >"$dir/allowed"

while read -r object; do
        undefined_in "$object" >"$dir/undefined"
        check "$object" nothing "$(LC_ALL=C comm -23 "$dir/undefined" "$dir/allowed")"
done <"$dir/objects"
done_testing
