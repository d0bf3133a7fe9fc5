#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packs the root filesystem of a tiny container image (static busybox) to the tar file named by the first argument.
# /bin/id-suid shows whether setuid works: busybox gives its privileges up for most applets by itself.
set -eu

tree=$(mktemp -d)
mkdir -p "$tree/bin" "$tree/etc" "$tree/proc" "$tree/sys" "$tree/dev"
mkdir -m 1777 "$tree/tmp"
chmod 755 "$tree"
cp /bin/busybox "$tree/bin/busybox"
"$tree/bin/busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done
cp /bin/busybox "$tree/bin/busybox-suid"
chmod 4755 "$tree/bin/busybox-suid"
cp /usr/bin/id "$tree/bin/id-suid"
chmod 4755 "$tree/bin/id-suid"
ldd /usr/bin/id | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 755 "$library" "$tree$library"
done
printf '%s\n' 'root:x:0:0:root:/:/bin/sh' 'nobody:x:65534:65534:nobody:/:/bin/sh' > "$tree/etc/passwd"
printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' > "$tree/etc/group"
mkdir -p "$(dirname "$1")"
tar --create --numeric-owner --owner=0 --group=0 --directory="$tree" --file="$1" .
rm -rf "$tree"
