#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The first process on a guest's disk: runs the tests that /tests names, one after the other, and turns the machine off. What they
# print goes to the second serial line, in between lines that begin with @@.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
# Limits are meant for a processor of silicon.
export INITSYNC_PATIENCE=8
case $(uname -r) in
6.1.*) export INITSYNC_PLACE=disk ;;    # a tmpfs takes id maps from 6.3 on
esac
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=0755 run /run
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
ln -sf fd/1 /dev/stdout
ln -sf fd/2 /dev/stderr
ip link set lo up
hostname guest
ulimit -n 20000
busybox stty -F /dev/ttyS1 raw -echo

run() { # KIND TEST
        cd "$top_builddir" || return
        case $1 in
        py) set -- "$PYTHON3" "$top_srcdir/$2" ;;
        sh) set -- sh "$top_srcdir/$2" ;;
        *) set -- "$top_builddir/$2" ;;
        esac
        INITSYNC_TEST_TIMEOUT=$TEST_TIMEOUT sh "$top_srcdir/tests/run-tap.sh" "$@" 2>&1
}

tests() {
        . /environment
        export top_srcdir top_builddir
        echo "@@ kernel $(uname -r)"
        while read -r kind test; do
                echo "@@ begin $test"
                run "$kind" "$test" </dev/null
                status=$?
                read -r now rest </proc/uptime
                echo "@@ end $status $now"
        done </tests
        echo "@@ done"
}

TEST_TIMEOUT=$(sed -n 's/.*initsync\.timeout=\([0-9]*\).*/\1/p' /proc/cmdline)
tests >/dev/ttyS1 2>&1
sync
busybox poweroff -f
