#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For `make installcheck`: builds the examples as an embedder would, with what pkg-config says of the installed library, and
# runs them. usage: installed.sh SRCDIR EXAMPLE...
set -eu
: "${CC:=cc}" "${CXX:=c++}" "${PKG_CONFIG:=pkg-config}" "${FLAGS:=}" "${DESTDIR:=}"
: "${libdir:?}" "${pkgconfigdir:?}"

srcdir=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

PKG_CONFIG_PATH=$DESTDIR$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
if [ -n "$DESTDIR" ]; then
        # The paths in the .pc file are those after the move from DESTDIR.
        PKG_CONFIG_SYSROOT_DIR=$DESTDIR
        export PKG_CONFIG_SYSROOT_DIR
fi

build() { # NAME SOURCE PKG-CONFIG-OPTION...: into $dir/NAME
        name=$1
        source=$2
        shift 2
        case $source in
        *.cc) compiler=$CXX ;;
        *) compiler=$CC ;;
        esac
        # For the static case: the archive of this library alone, since not every libc can be linked statically.
        libs=$($PKG_CONFIG --libs "$@" libinitsync)
        case " $* " in
        *" --static "*) libs=$(echo "$libs" | sed 's/-linitsync/-l:libinitsync.a/') ;;
        esac
        # shellcheck disable=SC2046,SC2086  # these are lists of words
        $compiler $FLAGS $($PKG_CONFIG --cflags libinitsync) "$source" -o "$dir/$name" $libs
        programs="$programs $dir/$name"
}

programs=
static=$DESTDIR$libdir/libinitsync.a
for example; do
        name=$(basename "$example")
        source=$srcdir/$example.c
        [ -f "$source" ] || source=$srcdir/$example.cc
        build "$name" "$source"
        # One is enough: the first.
        if [ -n "$static" ] && [ -f "$static" ]; then
                build "$name-static" "$source" --static
                static=
        fi
done

LD_LIBRARY_PATH=$DESTDIR$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# shellcheck disable=SC2086
EXAMPLES='' sh "$srcdir/examples/run.sh" $programs
