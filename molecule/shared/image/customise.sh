#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mmdebstrap hook: turns the fresh tree named by the first argument into a lab host. The second names this directory,
# the others are the packages to have at hand, not installed, if the suite knows them.
set -eu

root=$1 here=$2
shift 2

install -D -m 755 "$here/init.sh" "$root/usr/lib/bulkhead-lab/init"
install -D -m 644 "$here/nodes.py" "$root/usr/lib/bulkhead-lab/nodes.py"
install -D -m 644 "$here/release.sh" "$root/usr/lib/bulkhead-lab/release"
install -D -m 644 "$here/lab-nodes.service" "$root/etc/systemd/system/lab-nodes.service"
chroot "$root" systemctl --quiet enable lab-nodes.service
# Nothing may change a host behind the back of a test.
chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer man-db.timer systemd-tmpfiles-clean.timer
printf '%s\n' 'APT::Install-Recommends "false";' > "$root/etc/apt/apt.conf.d/90lab"

chroot "$root" sh -s -- /usr/share/bulkhead-lab/busybox.tar < "$here/busybox.sh"

known=
for package in "$@"; do
    if [ -n "$(chroot "$root" apt-cache madison "$package")" ]; then known="$known $package"; fi
done
chroot "$root" apt-get clean
# shellcheck disable=SC2086 # package names, split on purpose
chroot "$root" apt-get install --quiet --yes --download-only $known
