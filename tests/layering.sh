#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The folder is the layer: compares every #include with src/LAYERS, and looks for cycles.
set -eu
: "${top_srcdir:=$(dirname "$0")/..}"
. "$top_srcdir/tests/tap.sh"
cd "$top_srcdir"

# "file name" for every include of files: with quotes, or in angle brackets.
quoted() {
        grep -EHo '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*"' "$@" | sed 's/:.*"\(.*\)"/ \1/' || true
}
bracketed() {
        grep -EHo '^[[:space:]]*#[[:space:]]*include[[:space:]]*<[^>]*>' "$@" | sed 's/:.*<\(.*\)>/ \1/' || true
}
sources() {
        find "$@" -name '*.[ch]' -o -name '*.cc' | LC_ALL=C sort
}

layers() {
        sed 's/#.*//; /^[[:space:]]*$/d' src/LAYERS
}
may_use() { # the folders that folder $1 may include, itself among them
        layers | sed -n "s/^$1:/$1 /p"
}

every_folder_is_a_layer() {
        for folder in src/*/; do
                folder=$(basename "$folder")
                layers | grep -q "^$folder:" || echo "src/$folder is not in src/LAYERS"
        done
}

layers_without_cycle() {
        layers | awk '{ sub(":", "", $1); for (i = 2; i <= NF; i++) print $1, $i }' | { tsort >/dev/null; } 2>&1
}

src_includes() {
        # shellcheck disable=SC2046  # our own names, without spaces
        quoted $(sources src) | while read -r file name; do
                folder=${file#src/}
                folder=${folder%%/*}
                case $name in
                config.h) continue ;;
                */*) ;;
                *) echo "$file: \"$name\" does not say its folder"; continue ;;
                esac
                [ -f "src/$name" ] || echo "$file: there is no src/$name"
                case " $(may_use "$folder") " in
                *" ${name%%/*} "*) ;;
                *) echo "$file: $folder must not include \"$name\"" ;;
                esac
        done
}

headers_without_cycle() {
        # shellcheck disable=SC2046
        quoted $(sources src | grep '\.h$') /dev/null | sed 's|^src/||' | { tsort >/dev/null; } 2>&1
}

# Outside src/ the public header is all there is; a tool has headers of its own beside it.
outside_includes() { # FOLDER
        # shellcheck disable=SC2046
        quoted $(sources "$1") /dev/null | while read -r file name; do
                case $name in
                config.h) continue ;;
                */*) echo "$file: \"$name\" is not its own" ;;
                *) [ -f "$1/$name" ] || echo "$file: there is no $1/$name" ;;
                esac
        done
        # shellcheck disable=SC2046
        bracketed $(sources "$1") /dev/null | while read -r file name; do
                [ ! -f "src/$name" ] || echo "$file: <$name> is the library's inside"
        done
}

check "every folder of src is a layer" nothing "$(every_folder_is_a_layer)"
check "src/LAYERS has no cycle" nothing "$(layers_without_cycle)"
check "src includes what its layers allow" nothing "$(src_includes)"
check "no cycle of headers in src" nothing "$(headers_without_cycle)"
check "tools include only <initsync.h> of the library" nothing "$(outside_includes tools)"
check "examples include only <initsync.h> of the library" nothing "$(outside_includes examples)"
done_testing
