#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The header, the map, the shared library and the static one name the same functions.
set -eu
: "${top_srcdir:=$(dirname "$0")/..}" "${top_builddir:=.}" "${CC:=cc}" "${NM:=nm}"
. "$top_srcdir/tests/tap.sh"

map=$top_srcdir/src/libinitsync.map
library=$top_builddir/.libs/libinitsync.so
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The names between "global:" and "local:" of every node.
in_map() {
        sed 's|#.*||' "$map" | tr '\n' ' ' | sed 's|/\*[^*]*\*/||g' | tr -s ' \t' '\n' |
                awk '/^global:/ { on = 1; next } /^(local:|})/ { on = 0 } on { sub(";.*", ""); if ($0 != "") print }'
}

# nm prints name@@NODE, and the nodes themselves with type A.
in_library() {
        $NM -D --defined-only "$library" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }'
}

# Declarations outside of braces; the compiler has removed comments and the macros around them.
in_header() {
        echo '#include <initsync.h>' | $CC -E -P -I"$top_srcdir/include" - | tr '\n' ' ' | awk '{
                depth = 0; text = ""
                for (i = 1; i <= length($0); i++) {
                        c = substr($0, i, 1)
                        if (c == "{") depth++
                        else if (c == "}") { if (--depth == 0) text = text " " }
                        else if (c == ";" && depth == 0) {
                                if (text !~ /^ *(typedef|static)/ && match(text, /initsync_[a-z0-9_]+ *\(/)) {
                                        name = substr(text, RSTART, RLENGTH); sub(/ *\(/, "", name); print name
                                }
                                text = ""
                        } else if (depth == 0) text = text c
                }
        }'
}

only_in() { # what is in list $1 and not in list $2
        nothing "$(LC_ALL=C comm -23 "$dir/$1" "$dir/$2")"
}

in_map | LC_ALL=C sort >"$dir/map"
in_header | LC_ALL=C sort >"$dir/header"
check "the header declares functions" test -s "$dir/header"
check "each is declared once, and once in the map" nothing "$(uniq -d "$dir/header"; uniq -d "$dir/map")"
check "every function of the header is in the map" only_in header map
check "every name in the map is in the header" only_in map header
if [ -f "$library" ]; then
        in_library | LC_ALL=C sort >"$dir/library"
        check "every name in the map is exported" only_in map library
        check "nothing else is exported" only_in library map
        check "no call of it can be made to fail, as those of the build for tests can" nothing "$($NM "$library" | grep -i fault_)"
else
        skip "the library exports the names in the map" "it was configured with --disable-shared"
fi
if [ -f "$top_builddir/libinitsync.localized" ]; then
        $NM -g --defined-only "$top_builddir/.libs/libinitsync.a" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort >"$dir/archive"
        check "the static library has the same names, and no other" cmp "$dir/map" "$dir/archive"
else
        skip "the static library has the same names, and no other" "--disable-static, or objcopy cannot make names local"
fi
done_testing
