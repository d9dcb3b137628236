#!/busybox sh
# SPDX-License-Identifier: MIT
#
# The first process of a guest: modules, the disk, and on to guest.sh there.
/busybox mount -t devtmpfs dev /dev
/busybox mount -t proc proc /proc
while read -r module; do
        /busybox insmod "/modules/$module" 2>/dev/null || echo "not loaded: $module"
done </modules/order
tries=0
until /busybox mount -t ext4 -o rw /dev/vda /root 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" = 100 ]; then
                echo "no disk"
                /busybox poweroff -f
        fi
        /busybox usleep 100000
done
/busybox umount /proc
/busybox mount -o move /dev /root/dev
exec /busybox switch_root /root /bin/sh /guest.sh
