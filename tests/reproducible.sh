#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Two builds of the same files, by different people at different places, are equal byte by byte: what is installed, and the tarball.
# reproducible.sh [SOURCE]; what differs stays in a directory that is named.
set -eu

source=$(cd "${1:-$(dirname "$0")/..}" && pwd)
dir=$(mktemp -d)
chmod 755 "$dir"

# What is committed or would be; of an unpacked tarball, all.
files() {
        cd "$source"
        git ls-files -z --cached --others --exclude-standard 2>/dev/null || find . -type f -print0
}

copy() { # TO
        mkdir -p "$1"
        files | tar -C "$source" -c --null -T - | tar -x -C "$1"
}

build() { # IN: a source tree
        cd "$1"
        shift
        env "$@" sh -euc '
                umask "$THE_UMASK"
                [ -x configure ] || autoreconf -fi
                mkdir -p "$BUILD"
                cd "$BUILD"
                "$CONFIGURE" --prefix=/usr --enable-tools --disable-tests
                make -j"$JOBS"
                make install DESTDIR="$OUT"
                make dist
                mv libinitsync-*.tar.xz "$OUT"' >"$dir/log" 2>&1 || { tail -n 20 "$dir/log" >&2; exit 1; }
}

copy "$dir/one"
copy "$dir/a-rather-longer-name/of-another"
# The one in its own tree, by whom it is morning; the other beside it.
SOURCE_DATE_EPOCH=1700000000
export SOURCE_DATE_EPOCH
build "$dir/one" THE_UMASK=022 BUILD=. CONFIGURE=./configure JOBS=1 OUT="$dir/out-1" LC_ALL=C TZ=UTC0
build "$dir/a-rather-longer-name/of-another" THE_UMASK=077 BUILD=../build CONFIGURE=../of-another/configure JOBS=4 \
        OUT="$dir/out-2" LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8 TZ=Pacific/Kiritimati USER=somebody HOME="$dir"

status=0
(cd "$dir/out-1" && find . -type f -o -type l) | LC_ALL=C sort >"$dir/files"
(cd "$dir/out-2" && find . -type f -o -type l) | LC_ALL=C sort | diff "$dir/files" - || status=1
for wanted in /syncdemo libinitsync.so libinitsync.a .tar.xz; do
        grep -q "$wanted" "$dir/files" || { echo "$wanted was not built"; status=1; }
done
while read -r file; do
        cmp "$dir/out-1/$file" "$dir/out-2/$file" || status=1
done <"$dir/files"
if [ "$status" != 0 ]; then
        echo "not reproducible: see $dir"
        exit 1
fi
echo "reproducible: $(wc -l <"$dir/files") files are equal"
rm -rf "$dir"
